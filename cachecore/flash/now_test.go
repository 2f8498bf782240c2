package flash

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// waits says whether an Invalidate would wait: one whose time is up already doesn't.
func (r *rig) waits(k Key, first cachecore.Block, n uint64) bool {
	r.Helper()
	over, cancel := context.WithCancel(bg)
	cancel()
	err := r.object(k).Invalidate(over, first, n)
	if err != nil && !errors.Is(err, context.Canceled) {
		r.Fatal(err)
	}
	return err != nil
}

func TestG3_AWriteGoesNowOnlyIfItsMarkIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		if !r.object(k).InvalidateNow(0, 64) {
			t.Error("a write waits where nothing is cached")
		}
		r.cache(k, 0, 16)
		r.spill()
		release := r.hold(devicetest.WriteDurable)
		for range 2 { // the second finds nothing cached any more, and the first's mark is not durable
			if r.object(k).InvalidateNow(3, 1) {
				t.Error("a write goes before its mark is durable")
			}
			if found := r.object(k).Contains(3, 1); found.Has(0) {
				t.Error("what is about to be written is still found")
			}
			synctest.Wait()
		}
		if !r.object(keyOf(2)).InvalidateNow(0, 64) {
			t.Error("it waits for the mark of another object")
		}
		release()
		synctest.Wait()
		for b := range cachecore.Block(16) {
			if !r.object(k).InvalidateNow(b, 1) {
				t.Errorf("the write of block %d waits for a mark that is durable", b)
			}
		}
		r.close()
	})
}

// It is as an Invalidate that would not wait: whatever is cached and written, and however far the ledger is.
func TestG3_InvalidateNowGoesWhereInvalidateDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 1))
		r := newRig(t, 12, Options{})
		keys := []Key{keyOf(1), keyOf(2)}
		went, waited := 0, 0
		for range 60 {
			for range 4 {
				r.cache(keys[random.IntN(2)], blockOf(random.IntN(4)*extentLines/2), 1+random.IntN(16))
			}
			r.spill()
			release := r.hold(devicetest.WriteDurable)
			for i := range 16 {
				if i == 8 {
					release()
					synctest.Wait()
				}
				k, first, n := keys[random.IntN(2)], blockOf(random.IntN(4)*extentLines/2), uint64(1+random.IntN(2*extentLines*lineBlocks))
				switch now := r.object(k).InvalidateNow(first, n); {
				case now && r.waits(k, first, n):
					t.Fatalf("%d blocks from %d: a write goes that would have waited", n, first)
				case now:
					went++
				default:
					waited++
				}
				synctest.Wait()
			}
		}
		if went < 20 || waited < 20 {
			t.Errorf("%d writes went and %d would have waited", went, waited)
		}
		r.close()
	})
}

// What went without waiting is not served after a power cut.
func TestG3_WhatWentNowIsNotServedAfterAPowerCut(t *testing.T) {
	r := rigFor(t, 8, Options{})
	random := rand.New(rand.NewPCG(2, 1))
	k, now := keyOf(1), 0
	for range 12 {
		first := cachecore.Block(random.IntN(64))
		r.cache(k, first, 8)
		r.spill()
		for range 6 {
			at, n := cachecore.Block(random.IntN(72)), 1+random.IntN(8)
			if r.object(k).InvalidateNow(at, uint64(n)) {
				now++
			} else if err := r.object(k).Invalidate(bg, at, uint64(n)); err != nil {
				t.Fatal(err)
			}
			r.set(k, at, n)
		}
		r.check(k, 0, 64)
		r.check(k, 64, 16)
		r.cut()
		r.check(k, 0, 64)
		r.check(k, 64, 16)
	}
	if now == 0 {
		t.Error("nothing went without waiting")
	}
}

func TestInvalidateNowLeavesWhatTakesTimeToInvalidate(t *testing.T) {
	var broken atomic.Bool
	r := rigFor(t, 8, Options{Condemn: func(context.Context) error { return errors.New("no") }})
	k := keyOf(1)
	r.cache(k, 0, 16)
	now, found := r.object(k).InvalidateNow(0, 1<<40), r.object(k).Contains(0, 1)
	if now || !found.Has(0) {
		t.Error("more blocks than there can be are gone through")
	}
	r.spill()
	broken.Store(true)
	r.twin.OnCall(func(devicetest.Call) devicetest.Fault {
		if broken.Load() {
			return devicetest.Fault{Err: errors.New("it is broken")}
		}
		return devicetest.Fault{}
	})
	r.object(k).InvalidateNow(0, 1)
	<-r.s.Failed()
	if r.object(k).InvalidateNow(40, 1) {
		t.Error("a write goes although the failed device is not condemned")
	}
}

// Of a device that is condemned nothing is ever served again: no write waits for it.
func TestInvalidateNowGoesOnceTheDeviceIsCondemned(t *testing.T) {
	refused := errors.New("no")
	r := rigFor(t, 8, Options{Condemn: func(context.Context) error { return refused }})
	k, other := keyOf(1), r.object(keyOf(2))
	r.cache(k, 0, 16)
	r.spill()
	r.twin.OnCall(func(devicetest.Call) devicetest.Fault { return devicetest.Fault{Err: errors.New("it is broken")} })
	for range 2 {
		if err := r.object(k).Invalidate(bg, 0, 16); err == nil || r.object(k).InvalidateNow(0, 16) {
			t.Fatalf("a write goes although the device is not condemned (%v)", err)
		}
	}
	refused = nil
	if err := r.object(k).Invalidate(bg, 0, 16); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{1, 16, 1 << 40} {
		if !r.object(k).InvalidateNow(0, n) {
			t.Errorf("a write of %d blocks waits for a device that is condemned", n)
		}
	}
	if !other.InvalidateNow(0, 16) {
		t.Error("a write of another object waits")
	}
}

func TestInvalidateNowOfAStoreThatEnds(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 16)
	o := r.object(k)
	r.close()
	if o.InvalidateNow(0, 1) {
		t.Error("a write goes that a closed store can't note")
	}
	w := newRig(t, 8, Options{})
	w.cache(k, 0, 16)
	if err := w.s.Withdraw(bg); err != nil {
		t.Fatal(err)
	}
	if !w.object(k).InvalidateNow(0, 1<<40) {
		t.Error("a write waits for a tier that has been withdrawn")
	}
	w.close()
}
