package writeback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// A flush is answered when a flush of the array that was asked for after the write has been, whoever asked for it.
func TestE1_AFlushDoesNotTakeAnothersThatHasNotEndedForDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Through)
		r.write(0, make([]byte, blk))
		ends := make(chan error, 2)
		for range 2 {
			r.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush })
			go func() { ends <- r.Flush(context.Background()) }()
			synctest.Wait()
		}
		if len(ends) > 0 {
			t.Error("a flush has ended before the array has flushed")
		}
		r.mem.LetGo()
		for range 2 {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
		if r.Unflushed() {
			t.Error("something is left unflushed")
		}
	})
}

// A client goes on after a restart, and flushes what it was answered before: the array still has it in its cache (PROTOCOL E2).
func TestE2_AFlushCoversWhatAnEarlierLifeHasWritten(t *testing.T) {
	for _, m := range []Mode{Through, Back} {
		t.Run(m.String(), func(t *testing.T) {
			r := newRig(t, Through)
			r.write(0, of('a', blk))
			r.restart(m)
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.mem.Crash(nil)
			r.onArray(0, of('a', blk))
		})
	}
}

// Write-back does not depend on the array: once anything has flushed that, what the log answers is flushed by the log.
func TestAFlushOfWhatTheLogHasDoesNotAskTheArray(t *testing.T) {
	for name, settle := range map[string]func(*rig) error{
		"after a flush":     func(r *rig) error { return r.Flush(t.Context()) },
		"after an interval": func(r *rig) error { r.write(mib, of('z', blk)); return r.sync(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Back)
			r.run()
			if err := settle(r); err != nil {
				t.Fatal(err)
			}
			r.end()
			r.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
				t.Errorf("the array is asked to %v", op.Kind)
				return cachecore.ErrUnavailable
			})
			r.write(0, of('a', blk))
			if err := r.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the array answered before write-back began has been flushed with the first interval: a client's flush doesn't need the array for that.
func TestE2_AnIntervalsFlushCoversWhatWasWrittenDirectlyBefore(t *testing.T) {
	r := newRig(t, Through)
	r.run()
	r.write(0, of('a', blk))
	if err := r.SetMode(Back); err != nil {
		t.Fatal(err)
	}
	r.write(blk, of('b', blk))
	r.settled()
	r.end()
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
		t.Errorf("the array is asked to %v", op.Kind)
		return cachecore.ErrUnavailable
	})
	if err := r.Flush(t.Context()); err != nil || r.Unflushed() {
		t.Errorf("%v, and something is left unflushed: %v", err, r.Unflushed())
	}
	r.mem.Intercept(nil)
	r.mem.Crash(nil)
	r.onArray(0, append(of('a', blk), of('b', blk)...))
}

// A write that is answered directly while an interval's flush is under way is not covered by that.
func TestE2_AnIntervalsFlushDoesNotCoverADirectWriteThatCameBesideIt(t *testing.T) {
	r := newRig(t, Back)
	if err := r.Flush(t.Context()); err != nil { // of an earlier life
		t.Fatal(err)
	}
	r.write(0, of('a', blk))
	flush := r.mem.Hold(arraytest.After, flushes)
	r.run()
	go func() { _ = r.sync(context.Background()) }()
	<-flush.Arrived()
	r.mu.Lock()
	r.mu.direct++ // one that began before the mode changed
	r.mu.Unlock()
	r.endDirect(nil)
	flush.Release(nil)
	r.settled()
	if !r.Unflushed() {
		t.Error("nobody knows of it")
	}
}

// What the array has not flushed is not flushed.
func TestE2_AFlushThatTheArrayFailsFails(t *testing.T) {
	r := newRig(t, Through)
	r.write(0, of('a', blk))
	full := errors.New("medium error")
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
		if op.Kind == arraytest.Flush {
			return full
		}
		return nil
	})
	for range 2 {
		if err := r.Flush(t.Context()); !errors.Is(err, full) || !r.Unflushed() {
			t.Errorf("%v, and something is left unflushed: %v", err, r.Unflushed())
		}
	}
	r.mem.Intercept(nil)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mem.Crash(nil)
	r.onArray(0, of('a', blk))
}

// A write that is answered while the array flushes is not covered by that.
func TestE2_AFlushDoesNotCoverAWriteThatCameBesideIt(t *testing.T) {
	r := newRig(t, Through)
	r.write(0, of('a', blk))
	flush := r.mem.Hold(arraytest.After, flushes)
	flushed := make(chan error, 1)
	go func() { flushed <- r.Flush(context.Background()) }()
	<-flush.Arrived()
	r.write(blk, of('b', blk))
	flush.Release(nil)
	if err := errors.Join(<-flushed, r.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	r.mem.Crash(nil)
	r.onArray(0, append(of('a', blk), of('b', blk)...))
}

// A flush that fails, for whomever it was, may be of what an earlier life has answered. One that succeeds covers that.
func TestE1_AFailedFlushLeavesWhatAnEarlierLifeAnsweredUnflushed(t *testing.T) {
	for name, c := range map[string]struct {
		before func(r *rig)
		flush  func(r *rig) error
		want   bool
	}{
		"the destager's, with nothing to carry": {nil, func(r *rig) error { return r.cover(r.t.Context()) }, true},
		"the destager's, of an interval":        {nil, func(r *rig) error { return r.destage(r.t.Context(), r.open()) }, true},
		"a client's":                            {nil, func(r *rig) error { return r.Flush(r.t.Context()) }, true},
		"another one's, behind one that covers it": {func(r *rig) {
			if err := r.cover(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		}, func(r *rig) error { return r.destage(r.t.Context(), r.open()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Back)
			if c.before != nil {
				c.before(r)
			}
			medium := errors.New("medium error")
			r.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
				if op.Kind == arraytest.Flush {
					return medium
				}
				return nil
			})
			if err := c.flush(r); !errors.Is(err, medium) || r.Unflushed() != c.want {
				t.Errorf("%v, and something is left unflushed: %v", err, r.Unflushed())
			}
			r.mem.Intercept(nil)
			if err := r.Flush(t.Context()); err != nil || r.Unflushed() {
				t.Errorf("%v, and something is left unflushed: %v", err, r.Unflushed())
			}
		})
	}
}
