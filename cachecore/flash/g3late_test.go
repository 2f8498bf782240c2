package flash

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"forebay/cachecore/device/devicetest"
)

// A write comes between the moment when a region's footer is composed and the one when it is durable.
func TestG3_AWriteWhileAFooterIsOnItsWayIsMarked(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	regions := offset(r.s.layout.first)
	r.cache(k, 0, 8)
	r.quiet()
	came := false
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.WriteDurable && c.Off >= regions && !came {
			came = true
			r.write(k, 3, 1)
		}
		return devicetest.Fault{}
	})
	r.spill()
	if r.cut(); !came {
		t.Fatal("no footer was written")
	}
	if n := r.check(k, 3, 1); n != 0 {
		t.Fatal("a block is served that was written")
	}
}

// While a region is on its way out, and nobody knows that durably, writes to what is in it are marked like others.
func TestG3_ARegionOnItsWayOutIsInvalidatedLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 6, Options{})
		r.cannotDiscard()
		old, k := keyOf(1), keyOf(2)
		r.cache(old, 0, 8)
		r.spill()
		gate, held := make(chan struct{}), atomic.Bool{}
		ledger := offset(r.s.layout.first)
		r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
			if c.Kind == devicetest.WriteDurable && c.Off < ledger {
				held.Store(true)
				<-gate
			}
			return devicetest.Fault{}
		})
		for line := 0; !held.Load(); line++ { // until the first region has to go
			r.offer(k, blockOf(line), 8)
			r.offer(k, blockOf(line), 8)
			synctest.Wait()
		}
		var through atomic.Bool
		go func() {
			if err := r.object(old).Invalidate(bg, 0, 8); err != nil {
				t.Error(err)
			}
			through.Store(true)
		}()
		synctest.Wait()
		if through.Load() {
			t.Error("a write is let through that a power cut would undo")
		}
		close(gate)
		synctest.Wait()
		if !through.Load() {
			t.Error("a write is held for good")
		}
		r.close()
	})
}

// A line is written while the reclaim moves it out of the oldest region.
func TestG3_WhatIsWrittenWhileItIsMovedStaysAway(t *testing.T) {
	r := rigFor(t, 6, Options{})
	hot, k := keyOf(1), keyOf(2)
	r.cache(hot, 0, 8)
	r.spill()
	r.check(hot, 0, 8)
	var moved atomic.Bool
	o, at := r.object(hot), offset(r.s.layout.block(0, 0))
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Read && c.Off == at && moved.CompareAndSwap(false, true) {
			if err := o.Invalidate(bg, 2, 3); err != nil {
				t.Error(err)
			}
		}
		return devicetest.Fault{}
	})
	for line := 0; !moved.Load(); line++ {
		r.cache(k, blockOf(line), 8)
		r.quiet()
	}
	r.set(hot, 2, 3)
	if n := r.check(hot, 0, 8); n != 5 {
		t.Fatalf("%d of the 5 blocks found that were not written", n)
	}
	r.spill()
	r.cut()
	r.check(hot, 0, 8)
}

// Two readers brought the same blocks, and both were published, in two regions: a write is about both copies.
func TestG3_AWriteIsAboutOlderCopiesToo(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cacheTwice(k)
	if used := r.s.Stats().UsedBytes; used != 8*blockSize {
		t.Fatalf("%d bytes are used for 8 blocks", used)
	}
	if n := r.check(k, 0, 8); n != 8 {
		t.Fatalf("%d of 8 blocks found", n)
	}
	r.write(k, 0, 8)
	r.spill()
	r.cut()
	if n := r.check(k, 0, 8); n != 0 {
		t.Fatalf("%d blocks are back after a power cut", n)
	}
}

// A footer that was misread by Open is not known to this run; when the device reads it well again, it must not come back.
func TestG3_AFooterThatWasMisreadDoesNotComeBack(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 8)
	r.spill()
	layout := r.s.layout
	for _, at := range []int64{20, footerHeadBytes + 30} { // in the head, and behind it
		r.cut()
		twin := r.twin
		twin.Flip(offset(layout.block(0, layout.footerAt()))+at, 8)
		_ = r.s.memory.Close()
		r.open()
		if n := r.check(k, 0, 8); n != 0 {
			t.Fatalf("%d blocks of a region without a footer", n)
		}
		image := twin.Image()
		image[offset(layout.block(0, layout.footerAt()))+at] ^= 8
		r.set(k, 0, 8) // needs no mark
		r.twin = devicetest.FromImage(image)
		_ = r.s.memory.Close()
		r.open()
		if n := r.check(k, 0, 8); n != 0 {
			t.Fatalf("%d blocks are back", n)
		}
		r.cache(k, 0, 8)
		r.spill()
	}
}

// A restatement forgets marks that are about nothing any more, but not one that somebody waits for: who comes to its extent has to wait too.
func TestG3_AMarkThatIsWaitedForIsNotForgotten(t *testing.T) {
	r := rigFor(t, 8, Options{})
	waited, answered := extent{keyOf(1), 1}, extent{keyOf(1), 2}
	for x, ticket := range map[extent]uint64{waited: 9, answered: 8} {
		sh := r.s.shardOf(r.s.hash(x.key), x.n)
		sh.marks[x] = mark{below: 5, ticket: ticket}
	}
	if list := r.s.liveMarks(standing{floor: 5}, 8); len(list) != 0 {
		t.Fatalf("%v are written that are about nothing", list)
	}
	if n := r.s.Stats().Marks; n != 1 {
		t.Fatalf("%d marks are kept", n)
	}
}

func TestAPowerCutAfterACleanRestartKeepsWhatWasNotWrittenTo(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 24)
	r.cache(k, blockOf(extentLines), 8)
	r.write(k, 3, 1)
	r.close()
	r.open()
	r.cut()
	if n := r.check(k, blockOf(extentLines), 8); n != 8 {
		t.Fatalf("%d of 8 blocks found", n)
	}
}
