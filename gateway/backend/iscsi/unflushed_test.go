package iscsi

import (
	"testing"

	"forebay/cachecore"
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
