package flash

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// What an older handle would find may have been written to by the newer one, which knows nothing of it.
func TestG3_AnOlderHandleFindsNothingOnceTheObjectIsDropped(t *testing.T) {
	for name, again := range map[string]func(r *rig, k Key) error{
		"as there was a gap": func(r *rig, k Key) error { _, err := r.s.Attach(bg, k, 6, 6); return err },
		"by another handle": func(r *rig, k Key) error {
			o, err := r.s.Attach(bg, k, 1, 1)
			if err != nil {
				return err
			}
			return o.Drop(bg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigFor(t, 8, Options{})
			k := keyOf(1)
			r.cache(k, 0, 20) // on the device and in memory
			if err := again(r, k); err != nil {
				t.Fatal(err)
			}
			found := r.object(k).Contains(0, 20)
			if n := r.check(k, 0, 20); n != 0 || found.count() != 0 {
				t.Errorf("%d blocks are read, and %d said to be here", n, found.count())
			}
			if n := r.offer(k, 24, 8) + r.offer(k, 24, 8); n != 0 {
				t.Errorf("%d blocks are taken by a handle that has nothing", n)
			}
		})
	}
}

// Who gives up while what there was is being dropped has no handle, and the object is nobody's.
func TestAnAttachThatIsGivenUpLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		r.cache(k, 0, 20)
		r.spill()
		release := r.hold(devicetest.WriteDurable)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if _, err := r.s.Attach(ctx, k, 6, 6); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		release()
		if n := r.s.objects.inUse; n != 0 {
			t.Errorf("%d objects are in use", n)
		}
		r.close()
	})
}

// Who drops what there was may give up before the mark is durable. Who attaches the object then finds nothing to invalidate, and what is on the device would
// be back after a crash.
func TestG3_AWriteByANewHandleWaitsForTheMarkOfADropThatWasGivenUp(t *testing.T) {
	for name, drop := range map[string]func(r *rig, ctx context.Context, k Key) error{
		"by a handle": func(r *rig, ctx context.Context, k Key) error { return r.object(k).Drop(ctx) },
		"by a write of more than there can be": func(r *rig, ctx context.Context, k Key) error {
			return r.object(k).Invalidate(ctx, 0, uint64(Blocks))
		},
		"as it was newer": func(r *rig, ctx context.Context, k Key) error {
			_, err := r.s.Attach(ctx, k, 0, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 8, Options{})
				k := keyOf(1)
				r.cache(k, 0, 20)
				r.spill()
				release := r.hold(devicetest.WriteDurable)
				over, cancel := context.WithCancel(bg)
				cancel()
				if err := drop(r, over, k); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				o, err := r.s.Attach(bg, k, 1, 1)
				if err != nil {
					t.Fatal(err)
				}
				if o.InvalidateNow(3, 1) {
					t.Error("a write goes before the mark is durable")
				}
				release()
				synctest.Wait()
				if !o.InvalidateNow(3, 1) {
					t.Error("a write waits for a mark that is durable")
				}
				r.close()
			})
		})
	}
}

// The epoch of a footer is the one under which its content was offered last: it doesn't count before that.
func TestG3_AFooterIsOfItsObjectsLastEpoch(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	attach := func(now cachecore.Epoch) {
		o, err := r.s.Attach(bg, k, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		r.objects[k] = o
	}
	attach(1)
	r.cache(k, 0, 4)
	attach(3)
	r.cache(k, 4, 4)
	r.close()
	r.open()
	if attach(3); r.check(k, 0, 8) != 8 {
		t.Error("what was offered is not found after a restart")
	}
	r.close()
	r.open()
	if attach(2); r.check(k, 0, 8) != 0 {
		t.Error("what was offered under a later epoch is found")
	}
}

// An object that several footers have is as old as the oldest, and as new as the newest.
func TestG3_EpochsOfFootersAddUp(t *testing.T) {
	for _, epochs := range [][]cachecore.Epoch{{1, 5, 3}, {5, 3, 1}, {3, 1, 5}} {
		var all objects
		all.init(1)
		for _, epoch := range epochs {
			all.load(footerObject{keyOf(1), epoch}, 1)
		}
		if _, ob := all.find(keyOf(1)); ob.oldest != 1 || ob.epoch != 5 || ob.pieces != 3 {
			t.Errorf("%+v of %v", ob, epochs)
		}
	}
}
