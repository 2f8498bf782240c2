package flash

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// hold makes calls of a kind wait until the returned function is called.
func (r *rig) hold(kind devicetest.Kind) (release func()) {
	gate := make(chan struct{})
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == kind {
			<-gate
		}
		return devicetest.Fault{}
	})
	return func() { close(gate) }
}

func TestG3_AWriteWaitsUntilItsMarkIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		r.cache(k, 0, 16)
		r.spill()
		release := r.hold(devicetest.WriteDurable)
		var through atomic.Int32
		invalidate := func() {
			if err := r.object(k).Invalidate(bg, 3, 1); err != nil {
				t.Error(err)
			}
			through.Add(1)
		}
		go invalidate()
		synctest.Wait()
		go invalidate() // finds nothing cached any more, and the array may not have it yet either
		synctest.Wait()
		if n := through.Load(); n != 0 {
			t.Fatalf("%d writes were let through before the mark was durable", n)
		}
		release()
		synctest.Wait()
		if n := through.Load(); n != 2 {
			t.Fatalf("%d of 2 writes were let through", n)
		}
		r.close()
	})
}

func TestG3_TheFirstWriteToAnExtentNeedsAMarkAndTheNextDoNot(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 26)
	r.spill()
	var marks atomic.Int32
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.WriteDurable {
			marks.Add(1)
		}
		return devicetest.Fault{}
	})
	for b := range cachecore.Block(24) {
		r.write(k, b, 1)
	}
	r.write(keyOf(2), 0, 64) // nothing is cached of it
	if n := marks.Load(); n != 1 {
		t.Fatalf("%d durable writes for 24 writes to one extent", n)
	}
	r.cache(k, 0, 8) // and once it is cached again, and that is on the device, it needs another
	r.spill()
	marks.Store(0)
	r.write(k, 0, 1)
	if n := marks.Load(); n != 1 {
		t.Fatalf("%d durable writes for a write to what was cached again", n)
	}
}

func TestG3_AnUncleanRestartDropsTheMarkedExtentsOnly(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k, far := keyOf(1), blockOf(extentLines)
	r.cache(k, 0, 8)
	r.cache(k, far, 8)
	r.spill()
	r.write(k, 0, 1)
	r.cache(k, 8, 8) // after the mark
	r.spill()
	r.cut()
	if n := r.check(k, 0, 8); n != 0 {
		t.Fatalf("%d blocks of a marked extent are served", n)
	}
	if n := r.check(k, far, 8) + r.check(k, 8, 8); n != 16 {
		t.Fatalf("%d of 16 blocks are served that no mark is about", n)
	}
}

// A slot is written anew, and the power is cut before its new footer is there: the old one is about blocks whose marks are long gone.
func TestG3_AFooterOfAReusedSlotIsNotRevived(t *testing.T) {
	r := rigFor(t, 6, Options{})
	r.cannotDiscard()
	old, k := keyOf(1), keyOf(2)
	for line := range 4 {
		r.cache(old, blockOf(line), 8)
	}
	r.spill()
	for line := 0; r.object(old).Contains(0, 32) != (Found{}); line++ {
		r.cache(k, blockOf(line), 8)
		r.quiet()
	}
	r.write(old, 0, 32) // needs no mark: there is nothing
	r.cut()
	if n := r.check(old, 0, 32); n != 0 {
		t.Fatalf("%d blocks are served that were written since", n)
	}
}

func TestG3_CachedBlocksDieWithAGapInOwnership(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 8)
	r.spill()
	attach := func(since, now cachecore.Epoch) int {
		o, err := r.s.Attach(bg, k, since, now)
		if err != nil {
			t.Fatal(err)
		}
		r.objects[k] = o
		return r.check(k, 0, 8)
	}
	if n := attach(1, 3); n != 8 {
		t.Fatalf("%d of 8 blocks outlive a new epoch without a gap", n)
	}
	r.close()
	r.open()
	if n := attach(1, 4); n != 8 {
		t.Fatalf("%d of 8 blocks outlive a restart without a gap", n)
	}
	if n := attach(6, 6); n != 0 {
		t.Fatalf("%d blocks outlive a gap", n)
	}
	r.set(k, 0, 8)
	r.cut()
	if n := attach(6, 7); n != 0 {
		t.Fatalf("%d blocks of before the gap are back after a power cut", n)
	}
	r.cache(k, 0, 8)
	if n := attach(1, 6); n != 0 {
		t.Fatalf("%d blocks of a later epoch than there can be are served", n)
	}
}

func TestG3_NothingIsServedOfWhatIsDroppedAfterAPowerCut(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 24)
	r.spill()
	r.cache(k, 24, 5)
	if err := r.object(k).Drop(bg); err != nil {
		t.Fatal(err)
	}
	r.set(k, 0, 64)
	if n := r.check(k, 0, 64); n != 0 {
		t.Fatalf("%d blocks are served after a drop", n)
	}
	r.cache(k, 8, 8)
	r.spill()
	r.cut()
	if n := r.check(k, 0, 64); n != 8 {
		t.Fatalf("%d blocks are served, and 8 were cached after the drop", n)
	}
}

func TestG3_AFailedDeviceIsCondemnedBeforeAWriteGoes(t *testing.T) {
	refused := errors.New("no")
	var refuse atomic.Bool
	var asked atomic.Int32
	refuse.Store(true)
	r := rigFor(t, 8, Options{Condemn: func(context.Context) error {
		asked.Add(1)
		if refuse.Load() {
			return refused
		}
		return nil
	}})
	k := keyOf(1)
	r.cache(k, 0, 16)
	r.spill()
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		return devicetest.Fault{Err: errors.New("it is broken")}
	})
	if err := r.object(k).Invalidate(bg, 0, 1); !errors.Is(err, refused) {
		t.Fatalf("a write is let through, or for another reason held: %v", err)
	}
	<-r.s.Failed()
	if n := r.check(k, 0, 16); n != 0 {
		t.Fatalf("%d blocks served by a failed device", n)
	}
	refuse.Store(false)
	for range 3 {
		r.write(k, 4, 1)
	}
	if n := asked.Load(); n != 2 {
		t.Fatalf("condemned %d times", n)
	}
	if r.offer(k, 40, 1)+r.offer(k, 40, 1) != 0 || r.s.Err() == nil || !r.s.Stats().Failed {
		t.Fatal("the store doesn't know that it has failed")
	}
}

func TestG3_ADeviceThatHangsHoldsNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{Patience: 2 * time.Second})
		k := keyOf(1)
		r.cache(k, 0, 16)
		r.spill()
		gate := make(chan struct{})
		r.twin.OnCall(func(devicetest.Call) devicetest.Fault { <-gate; return devicetest.Fault{} })
		start := time.Now()
		if n := r.check(k, 0, 8); n != 0 {
			t.Errorf("%d blocks came from a device that hangs", n)
		}
		r.write(k, 0, 1)
		if took := time.Since(start); took > 4*time.Second || r.condemned != 1 {
			t.Errorf("held for %v, condemned %d times", took, r.condemned)
		}
		close(gate)
		if err := r.s.Close(bg); err == nil {
			t.Error("a failed store is closed clean")
		}
	})
}

// A block that was misread once is not cached any more; if the device then reads it well again, it must not come back.
func TestG3_WhatWasMisreadDoesNotComeBack(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 8)
	r.spill()
	at := offset(r.s.layout.block(0, 3)) + 77
	r.twin.Flip(at, 4)
	if n := r.check(k, 0, 8); n != 7 {
		t.Fatalf("%d of 7 good blocks served", n)
	}
	r.twin.Flip(at, 4)
	r.write(k, 0, 8)
	image := r.twin.Image()
	r.close()
	r.twin = devicetest.FromImage(image)
	r.open()
	if n := r.check(k, 0, 8); n != 0 {
		t.Fatalf("%d blocks are back", n)
	}
}

// A ledger that has no room for all marks gives up what is cached after an unclean end, and nothing else.
func TestG3_TooManyMarksVoidAll(t *testing.T) {
	r := rigFor(t, 250, Options{})
	k := keyOf(1)
	n := r.s.ledger.book.marks() + int(r.s.ledger.book.pages())*2
	x := 0
	for ; x < n; x++ {
		first := blockOf(x * extentLines)
		r.cache(k, first, 1)
		if x%50 == 0 {
			r.spill()
		}
	}
	r.spill()
	for x = range n {
		first := blockOf(x * extentLines)
		r.write(k, first, 1)
	}
	if r.s.void.Load() <= 1 {
		t.Fatal("the ledger had room")
	}
	for r.s.ledger.book.index < 3 { // the void mark is some pages old
		x++
		r.cache(k, blockOf(x*extentLines), 1)
		r.write(k, blockOf(x*extentLines), 1)
	}
	r.cut()
	for i := range n {
		r.check(k, blockOf(i*extentLines), 1)
	}
	if most := r.s.ledger.book.marks() + int(r.s.ledger.book.pages())*pageEntries; r.s.Stats().Marks > most {
		t.Fatalf("%d marks kept", r.s.Stats().Marks)
	}
}
