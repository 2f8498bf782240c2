package iscsi

import (
	"bytes"
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

func TestE1_WhatWasAnsweredBeforeAPowerCutIsThereAfterTheFlush(t *testing.T) {
	s := newSAN(t, cachecore.ArrayInfo{Size: diskSize, WriteCache: true, Thin: true, UnmapZeroes: true})
	a := open(t, options(t, s.portal))
	mustWrite(t, a, pattern(1, 16<<10), 0, cachecore.WriteOptions{})
	mustFlush(t, a)
	mustWrite(t, a, pattern(2, 8<<10), 4096, cachecore.WriteOptions{})
	mustWrite(t, a, pattern(3, 4096), 4096, cachecore.WriteOptions{}) // over a part of the last
	mustWrite(t, a, pattern(4, 4096), 64<<10, cachecore.WriteOptions{FUA: true})
	if err := a.WriteZeroes(t.Context(), 12<<10, 4096, false); err != nil {
		t.Fatal(err)
	}
	s.powerCut(nil)
	mustFlush(t, a)
	s.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 4096))
	expect(t, a, 4096, pattern(3, 4096))
	expect(t, a, 8<<10, pattern(2, 8<<10)[4096:])
	expect(t, a, 12<<10, make([]byte, 4096))
	expect(t, a, 64<<10, pattern(4, 4096))
}

func TestE1_AResetThatTheSessionSurvivesIsNoticedByTheFlush(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 4096), 0, cachecore.WriteOptions{})
	f.mem.Crash(nil)
	f.attend(sense{6, 0x29, 0})
	mustFlush(t, a)
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 4096))
}

func TestE1_AResetThatOurOwnQuestionsAreToldOfCountsToo(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 4096), 0, cachecore.WriteOptions{})
	f.mem.Crash(nil)
	f.attend(sense{6, 0x2a, 9}) // the next command hears of this, and the recovery of that:
	f.attend(sense{6, 0x29, 0})
	mustFlush(t, a)
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 4096))
}

func TestE1_AFlushDoesNotOvertakeTheNewsOfAReset(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 4096), 0, cachecore.WriteOptions{})
	// A flight that was sent before the flush and whose end is not accounted when the flush is answered.
	slow := a.newOp(false)
	if err := a.enter(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	f.mem.Crash(nil)
	came := f.seen(opFlush)
	flushed := begun(func() error { return a.Flush(t.Context()) })
	receive(t, came)
	for waits := false; !waits; { // for the slow one
		select {
		case err := <-flushed:
			t.Fatalf("the flush ends before a flight that it may have overtaken: %v", err)
		default:
		}
		a.mu.Lock()
		waits = len(a.mu.flights.settlings) > 0
		a.mu.Unlock()
	}
	a.land(slow, verdict{do: reset})
	if err := receive(t, flushed); err != nil {
		t.Fatal(err)
	}
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 4096))
}

func TestE1_AWriterWaitsForAFlushWhenNothingMoreCanBeRetained(t *testing.T) {
	f := newFake(t, cachecore.ArrayInfo{Size: 8 << 20, WriteCache: true}, 1)
	o := f.options()
	o.Retain = 1 // the least: 4 MiB
	a := open(t, o)
	for off := int64(0); off < 6<<20; off += 32 << 10 {
		mustWrite(t, a, pattern(byte(off>>15), 32<<10), off, cachecore.WriteOptions{})
	}
	if f.count(opFlush) == 0 {
		t.Fatal("6 MiB were retained in 4")
	}
	f.mem.Crash(nil)
	f.drop()
	for off := int64(0); off < 6<<20; off += 32 << 10 {
		expect(t, a, off, pattern(byte(off>>15), 32<<10))
	}
}

func TestE1_FUAWithoutTheArraysHelpIsAWriteAndAFlush(t *testing.T) {
	f := newFake(t, cached, 1)
	f.mu.fua = false
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{FUA: true})
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 512))
}

func TestE1_WithoutAWriteCacheNothingIsRetained(t *testing.T) {
	f := newFake(t, cachecore.ArrayInfo{Size: diskSize}, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	if list, _ := a.retained.unflushed(); len(list) != 0 {
		t.Fatalf("%d changes are retained", len(list))
	}
}

func TestE1_WhatOverlapsIsWrittenAgainInItsOrder(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	for i := range byte(100) { // each over a half of the one before
		mustWrite(t, a, pattern(i, 1024), int64(i)*512, cachecore.WriteOptions{})
	}
	f.set(func() {
		f.drop()
		f.mem.Crash(nil)
	})
	for i := range byte(100) {
		expect(t, a, int64(i)*512, pattern(i, 1024)[:512])
	}
}

func TestE1_AChangeThatMeetsAWriteCacheTurnedOnIsRetained(t *testing.T) {
	for _, change := range []struct {
		what string
		do   func(a *Array) error
		want []byte
	}{
		{"write", func(a *Array) error { return a.WriteAt(t.Context(), pattern(2, 4096), 0, cachecore.WriteOptions{}) }, pattern(2, 4096)},
		{"zero", func(a *Array) error { return a.WriteZeroes(t.Context(), 0, 4096, false) }, make([]byte, 4096)},
	} {
		f := newFake(t, cached, 1)
		f.mu.through = true
		a := open(t, f.options())
		mustWrite(t, a, pattern(1, 4096), 0, cachecore.WriteOptions{})
		mustFlush(t, a)
		f.set(func() { f.mu.through = false })
		f.attend(sense{6, 0x2a, 1}) // the change is told, and issued again when that has been looked at
		if err := change.do(a); err != nil {
			t.Fatal(err)
		}
		f.mem.Crash(nil)
		f.attend(sense{6, 0x29, 0})
		mustFlush(t, a)
		f.mem.Crash(nil)
		got := make([]byte, 4096)
		if err := a.ReadAt(t.Context(), got, 0); err != nil || !bytes.Equal(got, change.want) {
			t.Errorf("a %s that was answered and flushed is gone: %v", change.what, err)
		}
		end(t, a)
	}
}

func TestE1_ADeferredErrorHasWhatIsUnflushedWrittenAgain(t *testing.T) {
	for _, op := range []byte{opWrite, opReady} { // what is told: a caller's command, or a question of ours
		f := newFake(t, cached, 1)
		deferred := false
		intercept := f.ports[0].target.Intercept
		f.ports[0].target.Intercept = func(c *initiatortest.Conn, h iscsi.Header, data []byte) bool {
			f.mu.Lock()
			now := deferred && h.Opcode() == iscsi.OpSCSICommand && h.CDB()[0] == op
			deferred = deferred && !now
			f.mu.Unlock()
			if !now {
				return intercept(c, h, data)
			}
			c.Status(h, statusCheck, []byte{0x71, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0})
			return true
		}
		a := open(t, f.options())
		mustWrite(t, a, pattern(1, 4096), 0, cachecore.WriteOptions{})
		f.mem.Crash(nil)
		f.set(func() { deferred = true })
		if op == opReady {
			f.attend(sense{6, 0x2a, 9}) // has us ask
		}
		mustWrite(t, a, pattern(2, 4096), 8192, cachecore.WriteOptions{}) // it is not this one's failure
		mustFlush(t, a)
		f.mem.Crash(nil)
		expect(t, a, 0, pattern(1, 4096))
		expect(t, a, 8192, pattern(2, 4096))
		end(t, a)
	}
}
