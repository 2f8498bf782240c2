package writeback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// Damage that the log finds while it runs takes no more records; what can be read still is carried, and the log told to forget the rest.
func TestF2_WhatADamagedLogStillHasIsCarriedAndTheArrayAnswersThen(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	r.Damaged(errors.New("record 1 can't be read"))
	r.run()
	r.becomes(Through)
	r.write(blk, of('b', blk))
	r.onArray(0, append(of('a', blk), of('b', blk)...))
	r.end()
	if r.log.voided != r.ledger.base() {
		t.Errorf("void below %d, the base is %d: the log keeps its damage", r.log.voided, r.ledger.base())
	}
	if err := r.SetMode(Back); err == nil || r.Status().Reason == "" {
		t.Errorf("write-back on a damaged log: %v, status %+v", err, r.Status())
	}
}

// What was void before the log found it damaged is nobody's loss.
func TestF2_DamageInWriteThroughConcernsNothing(t *testing.T) {
	r := newRig(t, Through)
	r.Damaged(errors.New("record 1 can't be read"))
	if err := r.SetMode(Back); err != nil {
		t.Error(err)
	}
}

// What can't be read, because it is rotten or the log could not move it, is told to whoever reads it, once, and takes the volume offline.
func TestF2_AReaderThatFindsDamageTakesTheVolumeOffline(t *testing.T) {
	for name, err := range map[string]error{"rotten": writelog.ErrDamaged, "left behind": writelog.ErrGone} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Back)
			r.write(0, of('a', blk))
			r.log.mu.Lock()
			r.log.rotten = err
			r.log.mu.Unlock()
			if err := r.ReadAt(t.Context(), make([]byte, blk), 0); !errors.Is(err, writelog.ErrDamaged) {
				t.Errorf("read: %v", err)
			}
			if got := r.Status(); got.Effective != Lost || got.Reason == "" {
				t.Errorf("%+v", got)
			}
			if err := r.WriteAt(t.Context(), make([]byte, blk), mib, cachecore.WriteOptions{}); err == nil {
				t.Error("it is written")
			}
		})
	}
}

// A write that waits for room is told that there will be none.
func TestF2_WhoWaitsForRoomIsToldThatTheVolumeIsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.log.capacity = 64 << 10
		for i := range int64(14) {
			r.write(i*blk, of('a', blk))
		}
		done := make(chan error)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() { done <- r.WriteAt(ctx, of('b', blk), 0, cachecore.WriteOptions{}) }()
		synctest.Wait()
		r.Lose(errors.New("rotten"))
		if err := <-done; err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// A flush would say that what was acknowledged is durable, which is lost.
func TestF2_NothingThatIsLostIsFlushed(t *testing.T) {
	for name, durable := range map[string]bool{"durable": true, "volatile": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Back, func(o *Options) { o.Durable = durable })
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.write(0, of('a', blk))
			rotten := errors.New("rotten")
			r.Lose(rotten)
			if err := r.Flush(t.Context()); !errors.Is(err, rotten) {
				t.Errorf("flush: %v", err)
			}
		})
	}
}

// Nor is the array changed, or said to have everything, where it is not known what the log has had for it.
func TestF2_AnArrayThatIsLostIsLeftAsItIs(t *testing.T) {
	r := newBareRig(t, Back)
	rotten := errors.New("rotten")
	r.Lose(rotten)
	if err := r.Unmap(t.Context(), 0, blk); !errors.Is(err, rotten) {
		t.Errorf("unmap: %v", err)
	}
	if err := r.Drain(t.Context()); !errors.Is(err, rotten) {
		t.Errorf("drain: %v", err)
	}
	r.onArray(0, of(0, blk))
}
