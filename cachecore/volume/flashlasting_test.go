package volume

import (
	"context"
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// What a discard has left there is not kept either before it is flushed: the array may have again what was there before.
func TestWhatAChangeHasLeftIsNotKeptBeforeItIsFlushed(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*flashRig) error{
		"discard": func(r *flashRig) error { return r.Discard(ctx, 0, blk, true) },
		"zero":    func(r *flashRig) error { return r.WriteZeroes(ctx, 0, blk) },
		"alter": func(r *flashRig) error {
			return r.Alter(ctx, 0, blk, func(ctx context.Context) error { return r.mem.Unmap(ctx, 0, blk) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := settledRig(t)
			if err := change(r); err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{0, 1} {
				for range 3 {
					r.mustAgree(0, blk)
					r.forgets()
				}
				if n := r.has(0, 1); n != want {
					t.Errorf("flash has %d blocks, want %d", n, want)
				}
				if err := r.Flush(ctx); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Nor does one that fails cover anything.
func TestAFlushThatFailsCoversNothing(t *testing.T) {
	r := filledRig(t)
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
		if op.Kind == arraytest.Flush {
			return errors.New("power lost")
		}
		return nil
	})
	if err := r.Flush(context.Background()); err == nil || r.lasts(0) {
		t.Errorf("%v, and it covers what was written before: %v", err, r.lasts(0))
	}
	r.mem.Intercept(nil)
}

// All runs of a write are to be flushed before any of it is kept.
func TestAllThatAWriteChangesIsToBeFlushed(t *testing.T) {
	r := settledRig(t)
	r.write(of('b', 40*blk), 8*blk) // four runs, the first and the last in part
	for b, want := range map[cachecore.Block]bool{0: false, 16: false, 32: false, 47: false, 48: true} {
		if r.lasts(b) != want {
			t.Errorf("block %d lasts: %v", b, !want)
		}
	}
}

// A tier that is not to outlive the process has nothing when it has ended, also in order.
func TestATierThatEndsWithTheProcessKeepsNothing(t *testing.T) {
	r := filledRig(t)
	r.end()
	r.keeps = false
	r.begin()
	r.cache(0, 24)
	r.restart()
	if n := r.has(0, 24); n != 0 {
		t.Errorf("flash has %d blocks of the life before", n)
	}
}

// After a drop nobody knows what the array may lose: others have written to it.
func TestAfterADropNothingIsKeptBeforeAFlush(t *testing.T) {
	r := settledRig(t)
	r.Drop()
	for _, want := range []int{0, 1} {
		for range 3 {
			r.mustAgree(0, blk)
			r.forgets()
		}
		if n := r.has(0, 1); n != want {
			t.Errorf("flash has %d blocks, want %d", n, want)
		}
		if err := r.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
