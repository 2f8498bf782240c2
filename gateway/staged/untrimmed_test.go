package staged

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/protocols/nfs"
)

// untrimmable is a log whose device fails when it is told what is not needed any more.
type untrimmable struct{ writeback.Log }

func (untrimmable) Trim(writelog.Shard, cachecore.Seq) error {
	return errors.New("the device has failed")
}

// noLedger is one that is away.
type noLedger struct{}

func (noLedger) Raise(context.Context) (cachecore.Epoch, error) { return 0, errors.New("away") }

// A log that fails when it is to forget records may be read again after a kill: until they don't count any more nothing is changed that they would undo.
func TestA2_WhatTheLogCouldNotForgetUndoesNothing(t *testing.T) { synctest.Test(t, forgetsNot) }

func forgetsNot(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.kill()
	r.before = func(l writeback.Log) writeback.Log { return untrimmable{l} }
	r.change = append(r.change, func(_ *Options, w *writeback.Options) { w.Ledger = noLedger{} })
	r.start()
	r.write(h, 0, []byte("content"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = r.array.Drain(ctx) }()
	synctest.Wait() // the filer has it
	done := make(chan nfs.Status, 1)
	go func() {
		var w nfs.WccResult
		a := nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(uint64(0)), Mode: nfs.Some(uint32(0o600))}}
		if r.Do(ctx, &nfs.Caller{}, nfs.ProcSetAttr, &a, &w) == nil {
			done <- w.Status
		}
	}()
	synctest.Wait()
	answered := len(done) > 0
	r.before, r.change = nil, r.change[:1]
	r.restart()
	r.drain()
	if got := r.mem.Get("a"); answered && len(got) > 0 {
		t.Errorf("the file was emptied, and has %q after a kill", got)
	}
	if answered {
		t.Error("it is answered")
	}
}
