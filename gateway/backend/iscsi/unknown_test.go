package iscsi

import (
	"context"
	"errors"
	"testing"

	"forebay/cachecore"
)

func TestD2_AWriteOfTheLostSessionDoesNotLandOverItsSuccessor(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	held := f.holdWrite(anything)
	first := writing(t.Context(), a, pattern(1, 4096), 0)
	receive(t, held)
	f.drop()
	if err := receive(t, first); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, a, pattern(2, 4096), 0, cachecore.WriteOptions{})
	f.deliver() // what the array still has of the old session
	expect(t, a, 0, pattern(2, 4096))
}

func TestD2_AWriteWhoseCallerGaveUpIsResolvedToo(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	ctx, cancel := context.WithCancel(t.Context())
	held := f.holdWrite(anything)
	first := writing(ctx, a, pattern(1, 4096), 0)
	receive(t, held)
	a.mu.Lock() // the session ends before the array can answer the abort
	session := a.mu.session
	a.mu.Unlock()
	session.Abandon()
	cancel()
	if err := receive(t, first); err != nil && (!errors.Is(err, cachecore.ErrUnknownOutcome) || !errors.Is(err, context.Canceled)) {
		t.Fatal(err)
	}
	mustWrite(t, a, pattern(2, 4096), 0, cachecore.WriteOptions{})
	f.deliver()
	expect(t, a, 0, pattern(2, 4096))
}

func TestD2_TheFirstAttachmentResolvesWhatAnEarlierProcessLeft(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	if f.count(opManage) != 1 {
		t.Fatal("no LOGICAL UNIT RESET at the first attachment")
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	f.drop()
	mustFlush(t, a)
	if f.count(opManage) != 1 {
		t.Fatal("a reset though nothing was in doubt")
	}
}

func TestD2_NothingIsSentBeforeTheResetIsAnswered(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	held := f.holdWrite(anything)
	first := writing(t.Context(), a, pattern(1, 512), 0)
	receive(t, held)
	f.set(func() { f.mu.seen = nil })
	f.drop()
	expect(t, a, 4096, make([]byte, 512))
	if err := receive(t, first); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	reset := false
	for _, op := range f.mu.seen {
		reset = reset || op == opManage
		if !reset && (op == opRead || op == opWrite) {
			t.Fatalf("%02xh before the reset: %x", op, f.mu.seen)
		}
	}
}

func TestE3_AWriteThatIsGivenUpHasUnknownOutcomeAndLandsNoMore(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	ctx, cancel := context.WithCancel(t.Context())
	held := f.holdWrite(anything)
	aborted := f.seen(opManage)
	first := writing(ctx, a, pattern(1, 512), 0)
	receive(t, held)
	cancel()
	receive(t, aborted)
	if err := receive(t, first); !errors.Is(err, cachecore.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	mustWrite(t, a, pattern(2, 512), 0, cachecore.WriteOptions{})
	expect(t, a, 0, pattern(2, 512))
}

func TestE3_AWriteThatIsLostWhileTheArrayIsAwayIsUnavailableAndMayBeRepeated(t *testing.T) {
	f := newFake(t, cached, 1)
	w := &wire{}
	o := f.options()
	o.Patience, o.Dial = 1, w.dial
	a := open(t, o)
	held := f.holdWrite(anything)
	first := writing(t.Context(), a, pattern(1, 512), 0)
	receive(t, held)
	w.dead.Store(true)
	w.cut()
	if err := receive(t, first); !errors.Is(err, cachecore.ErrUnavailable) || errors.Is(err, cachecore.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	w.dead.Store(false)
	until(t, a, func() error { return a.WriteAt(t.Context(), pattern(2, 512), 0, cachecore.WriteOptions{}) })
	f.deliver()
	expect(t, a, 0, pattern(2, 512))
}

func TestD2_WhatIsWrittenAgainMayBeInDoubtToo(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	held := f.holdWrite(anything) // the one that is written again
	f.drop()
	receive(t, held)
	f.drop()
	mustWrite(t, a, pattern(2, 512), 0, cachecore.WriteOptions{})
	f.deliver()
	expect(t, a, 0, pattern(2, 512))
}
