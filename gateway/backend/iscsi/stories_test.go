package iscsi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

var cached = cachecore.ArrayInfo{Size: diskSize, WriteCache: true}

// events makes an array's events a channel.
func events(o *Options) <-chan Event {
	c := make(chan Event, 64)
	o.Watch = func(e Event) { c <- e }
	return c
}

func begun(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

// writing begins a write of one block.
func writing(ctx context.Context, a *Array, p []byte, off int64) <-chan error {
	return begun(func() error { return a.WriteAt(ctx, p, off, cachecore.WriteOptions{}) })
}

func anything([]byte) bool { return true }

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

// until calls f until the array is no longer away.
func until(t *testing.T, a *Array, f func() error) {
	t.Helper()
	for {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, cachecore.ErrUnavailable) || t.Context().Err() != nil {
			t.Fatal(err)
		}
		a.mu.Lock()
		state := a.mu.state
		a.mu.Unlock()
		if state == closed {
			t.Fatal(err)
		}
	}
}

func TestD6_AnotherMediumIsNotServed(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	seen := events(&o)
	a := open(t, o)
	before := f.mu.name
	if got := a.Info().Identity; got != fmt.Sprintf("naa.%x", before) {
		t.Fatal(got)
	}
	f.set(func() { f.mu.name = before[:15] + "\x02" })
	f.attend(sense{6, 0x3f, 3})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, cachecore.ErrUnavailable) || !errors.Is(err, cachecore.ErrIdentity) {
		t.Fatal(err)
	}
	if e := receive(t, seen); e.Available {
		t.Fatalf("%+v", e)
	}
	f.set(func() { f.mu.name = before })
	if e := receive(t, seen); !e.Available {
		t.Fatalf("%+v", e)
	}
	expect(t, a, 0, make([]byte, 512))
}

func TestD6_TheFirstAttachmentIsHeldAgainstWhatIsExpected(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Expected = "naa.5000"
	if a, err := Open(t.Context(), o); !errors.Is(err, cachecore.ErrIdentity) || a != nil {
		t.Fatal(err)
	}
	if f.count(opManage)+f.count(opWrite) != 0 {
		t.Fatal("a medium that is not ours was reset")
	}
}

func TestALUNThatHasGrownIsToldAndServed(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	seen := events(&o)
	a := open(t, o)
	f.mem.Grow(2 * diskSize)
	f.attend(sense{6, 0x2a, 9})
	expect(t, a, 0, make([]byte, 512))
	if e := receive(t, seen); !e.Available || !e.Resized || e.Unproven {
		t.Fatalf("%+v", e)
	}
	if a.Info().Size != 2*diskSize {
		t.Fatal(a.Info())
	}
	mustWrite(t, a, pattern(1, 512), 2*diskSize-512, cachecore.WriteOptions{})
}

func TestALUNThatHasShrunkIsNotServed(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	larger := a.Info()
	larger.Size *= 2
	a.info.Store(&larger)
	f.attend(sense{6, 0x2a, 9})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, errShrunk) || !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestABlockSizeThatDoesNotFitIsRefused(t *testing.T) {
	s := newSAN(t, cachecore.ArrayInfo{Size: diskSize, LogicalBlock: 4096})
	if _, err := Open(t.Context(), options(t, s.portal)); !errors.Is(err, errBlocks) {
		t.Fatal(err)
	}
}

func TestABusyArrayIsAskedAgain(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	f.answer(opWrite, statusBusy, 0x28, statusBusy)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	expect(t, a, 0, pattern(1, 512))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.window.size != maxFlights/8 {
		t.Fatalf("a window of %d", a.mu.window.size)
	}
}

func TestWhatTheArrayRefusesIsTold(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	for _, c := range []struct {
		s    sense
		want error
	}{{sense{7, 0x27, 7}, cachecore.ErrNoSpace}, {sense{7, 0x27, 0}, cachecore.ErrReadOnly}, {sense{5, 0x21, 0}, cachecore.ErrOutOfRange}} {
		f.answer(opWrite, c.s)
		if err := a.WriteAt(t.Context(), pattern(1, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, c.want) || errors.Is(err, cachecore.ErrUnknownOutcome) {
			t.Errorf("%v: %v", c.s, err)
		}
	}
	f.answer(opRead, sense{3, 0x11, 0})
	var status *initiator.StatusError
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.As(err, &status) || status.Key != 3 {
		t.Error(err)
	}
	if list, _ := a.retained.unflushed(); len(list) != 0 {
		t.Errorf("%d changes that failed are retained", len(list))
	}
}

func TestWhatTheArrayGivesUpIsIssuedAgainAFewTimes(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	aborted := sense{0xb, 0x47, 5}
	f.answer(opWrite, aborted, aborted, 0x40, aborted, aborted)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	f.answer(opWrite, aborted, aborted, aborted, aborted, aborted, aborted)
	if err := a.WriteAt(t.Context(), pattern(2, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnknownOutcome) {
		t.Fatal(err)
	}
}

func TestAnArrayThatStaysNotReadyIsUnavailable(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Patience = 1
	a := open(t, o)
	f.answer(opRead, sense{2, 4, 1})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatal(err)
	}
	expect(t, a, 0, make([]byte, 512))
}

func TestAnArrayThatRefusesWriteSameIsNotAskedForItAgain(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	f.answer(opWriteSame, sense{5, 0x20, 0})
	for range 2 {
		if err := a.WriteZeroes(t.Context(), 0, 512, false); !errors.Is(err, cachecore.ErrUnsupported) {
			t.Fatal(err)
		}
	}
	if n := f.count(opWriteSame); n != 1 {
		t.Fatalf("asked %d times", n)
	}
}

func TestAFailoverGoesToThePathThatIsLoggedIn(t *testing.T) {
	f := newFake(t, cached, 2)
	f.mu.groups = true
	f.ports[1].state = initiator.NonOptimized
	w := &wire{}
	o := f.options()
	o.Dial = w.dial
	a := open(t, o)
	arrive(t, a, 2)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	if over := portal(t, a); over != o.Portals[0] {
		t.Fatalf("over %s, which is not optimized", over)
	}
	w.dead.Store(true) // no login is possible
	f.set(func() {
		f.ports[0].target.Drop()
		f.mem.Crash(nil) // that controller's cache is gone
	})
	mustFlush(t, a)
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 512))
	if over := portal(t, a); over != o.Portals[1] {
		t.Fatalf("over %s", over)
	}
}

// arrive waits until that many paths are logged in.
func arrive(t *testing.T, a *Array, n int) {
	t.Helper()
	for t.Context().Err() == nil {
		a.mu.Lock()
		in := 0
		for _, p := range a.mu.paths {
			if p.session != nil {
				in++
			}
		}
		done := in >= n && a.mu.state == serving
		a.mu.Unlock()
		if done {
			return
		}
	}
}

// portal is that of the path in use, once the array is served.
func portal(t *testing.T, a *Array) string {
	t.Helper()
	for t.Context().Err() == nil {
		a.mu.Lock()
		state, p := a.mu.state, a.mu.path
		a.mu.Unlock()
		if state == serving {
			return p.portal
		}
	}
	return ""
}

func TestAPathThatBecomesStandbyIsLeft(t *testing.T) {
	f := newFake(t, cached, 2)
	f.mu.groups = true
	f.ports[1].state = initiator.Standby
	o := f.options()
	a := open(t, o)
	arrive(t, a, 2)
	if over := portal(t, a); over != o.Portals[0] {
		t.Fatalf("over %s, which stands by", over)
	}
	resets := f.count(opManage)
	for i, states := range [][2]initiator.AccessState{{initiator.Standby, initiator.Optimized}, {initiator.Optimized, initiator.Standby}, {initiator.Standby, initiator.Optimized}} {
		mustWrite(t, a, pattern(byte(i), 512), 4096, cachecore.WriteOptions{})
		f.set(func() {
			f.ports[0].state, f.ports[1].state = states[0], states[1]
			f.mem.Crash(nil) // that controller's cache is gone
		})
		mustWrite(t, a, pattern(9, 512), 0, cachecore.WriteOptions{})
		mustFlush(t, a)
		f.mem.Crash(nil)
		expect(t, a, 4096, pattern(byte(i), 512))
		if over := portal(t, a); over != o.Portals[(i+1)%2] {
			t.Fatalf("change %d: over %s", i, over)
		}
	}
	if f.count(opManage) != resets {
		t.Fatal("a reset though nothing was in doubt")
	}
}

func TestD7_TheLUNIsReservedFromTheFirstAttachment(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	a := open(t, o)
	f.mu.Lock()
	key, typ := f.mu.keys[f.mu.holder], f.mu.typ
	f.mu.Unlock()
	if key != 0xabc || typ != initiator.WriteExclusiveRegistrants || a.Unfenced() {
		t.Fatalf("reserved by %x as type %d", key, typ)
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	end(t, a)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.holder != "" || len(f.mu.keys) != 0 {
		t.Fatal("the reservation is left behind")
	}
}

func TestD7_ALUNThatSomebodyElseReservedIsNotUsed(t *testing.T) {
	for _, reserve := range []bool{true, false} {
		f := newFake(t, cached, 1)
		f.mu.keys["x"], f.mu.holder, f.mu.typ = 0x123, "x", 5
		o := f.options()
		o.Reserve, o.Key = reserve, 0xabc
		_, err := Open(t.Context(), o)
		if !errors.Is(err, errFenced) {
			t.Fatal(err)
		}
		if f.mu.keys["1"] != 0 || f.mu.keys["x"] != 0x123 {
			t.Fatalf("keys: %v", f.mu.keys)
		}
	}
}

func TestD7_AConflictThatProvesToBeAForeignReservationEndsTheUse(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	seen := events(&o)
	a := open(t, o)
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{"x": 0x123}, "x" })
	if err := a.WriteAt(t.Context(), pattern(1, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnavailable) || !errors.Is(err, errFenced) {
		t.Fatal(err)
	}
	if e := receive(t, seen); e.Available {
		t.Fatalf("%+v", e)
	}
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{}, "" })
	if e := receive(t, seen); !e.Available || !e.Unproven {
		t.Fatalf("others may have written, and we are told %+v", e)
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
}

func TestD7_ARegistrationThatIsGoneMakesTheCacheUnproven(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	seen := events(&o)
	a := open(t, o)
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{}, "" })
	f.drop()
	if e := receive(t, seen); !e.Available || !e.Unproven {
		t.Fatalf("%+v", e)
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
}

func TestD7_AnEarlierLifesReservationOfTheSameNexusIsTakenOver(t *testing.T) {
	f := newFake(t, cached, 1)
	f.mu.keys["1"], f.mu.holder, f.mu.typ = 0x777, "1", 5
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	mustWrite(t, open(t, o), pattern(1, 512), 0, cachecore.WriteOptions{})
}

func TestD4_AnArrayWithoutReservationsIsUnfenced(t *testing.T) {
	f := newFake(t, cached, 1)
	f.mu.noPR = true
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	if a := open(t, o); !a.Unfenced() {
		t.Fatal("it is taken to be fenced")
	}
}

func TestD7_APathThatHasNotRegisteredYetTakesOver(t *testing.T) {
	f := newFake(t, cached, 2)
	w := &wire{}
	o := f.options()
	o.Reserve, o.Key, o.Dial = true, 0xabc, w.dial
	a := open(t, o)
	arrive(t, a, 2)
	w.dead.Store(true)
	in := portal(t, a)
	for _, p := range f.ports {
		if p.target.Portal() == in {
			p.target.Drop()
		}
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	if portal(t, a) == in {
		t.Fatal("over a portal that is gone")
	}
}

func TestD7_AnEarlierLifesReservationOfAnotherPathIsTakenOver(t *testing.T) {
	f := newFake(t, cached, 2)
	f.mu.groups = true
	f.ports[1].state = initiator.Standby
	f.mu.keys["2"], f.mu.holder, f.mu.typ = 0x777, "2", 5
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	for range 1000 { // the second path may be late
		a, err := Open(t.Context(), o)
		if err == nil {
			t.Cleanup(func() { end(t, a) })
			mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
			return
		}
		if !errors.Is(err, errFenced) {
			t.Fatal(err)
		}
	}
	t.Fatal("fenced by ourselves")
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
