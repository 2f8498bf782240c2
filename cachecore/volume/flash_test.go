package volume

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/device/devicetest"
)

func TestWhatFlashHasIsReadFromThere(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 8)
	if n := r.arrayReads(func() { r.mustAgree(0, 8*blk) }); n != 0 {
		t.Errorf("the array was asked %d times", n)
	}
	if n := r.arrayReads(func() { r.mustAgree(0, 8*blk) }); n != 0 || r.Volume.store.Stats().UsedBytes == 0 {
		t.Error("what flash had is not in RAM")
	}
	if s := r.counts.Snapshot(); s.HitBlocks < 16 {
		t.Errorf("%d blocks count as hits", s.HitBlocks)
	}
}

// Of a read that flash has in part the array is asked once, for what is missing and what lies between.
func TestARestIsReadFromTheArrayInOnePiece(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 8)
	r.cache(16, 2)
	r.cache(24, 8)
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if op.Kind == arraytest.Read && at == arraytest.Before && (op.Off != 8*blk || op.Len != 16*blk) {
			t.Errorf("the array is asked for %d bytes at %d", op.Len, op.Off)
		}
		return nil
	})
	var c collected
	defer c.release()
	if n := r.arrayReads(func() {
		if err := r.Read(context.Background(), &c, 0, 32*blk); err != nil {
			t.Fatal(err)
		}
	}); n != 1 {
		t.Errorf("the array was asked %d times", n)
	}
	r.mem.Intercept(nil)
	r.mustAgree(0, 32*blk)
}

// A block that flash has and that has rotted is read from the array.
func TestARottenBlockIsReadFromTheArray(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 24) // more than a region
	r.restart()
	for off := int64(0); off < r.twin.Size(); off += blk {
		if off >= 34*blk && off%(16*blk) == 2*blk { // the first block of each region
			r.twin.Flip(off, 0x10)
		}
	}
	r.mustAgree(0, 24*blk)
	if r.flash.Stats().Mismatches == 0 {
		t.Error("nothing was rotten")
	}
}

// PROTOCOL G3: when the array is asked, a crash can't bring back any more what it is about to change.
func TestG3_AWriteIsForgottenBelowBeforeTheArrayIsAsked(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*flashRig) error{
		"write":   func(r *flashRig) error { return r.Write(ctx, of('b', blk), 0, false) },
		"partial": func(r *flashRig) error { return r.Write(ctx, of('b', 512), 0, false) },
		"discard": func(r *flashRig) error { return r.Discard(ctx, 0, blk, true) },
		"zero":    func(r *flashRig) error { return r.WriteZeroes(ctx, 0, blk) },
		"alter": func(r *flashRig) error {
			return r.Alter(ctx, 0, blk, func(ctx context.Context) error { return r.mem.Unmap(ctx, 0, blk) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := filledRig(t)
			r.cache(0, 24)
			r.restart() // so that it is on the device
			held := r.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind != arraytest.Read })
			changed := start(func() error { return change(r) })
			<-held.Arrived()
			if r.has(0, 1) != 0 {
				t.Error("flash still has what is about to change")
			}
			if r.has(1, 7) != 7 {
				t.Error("flash has lost what isn't about to change")
			}
			var left *devicetest.Twin
			r.twin.Crash(r.twin.Events()).Each(1, nil, func(image []byte) bool {
				left = devicetest.FromImage(image)
				return false
			})
			held.Release(nil)
			if err := <-changed; err != nil {
				t.Fatal(err)
			}
			r.end()
			r.twin = left
			r.begin()
			if r.has(0, 1) != 0 {
				t.Error("a crash brings it back")
			}
			r.mustAgree(0, 24*blk)
		})
	}
}

// PROTOCOL G1, for flash: what was read of the array before a write isn't published behind it.
func TestG1_NothingIsPublishedInFlashOverAWriteThatCameAfterIt(t *testing.T) {
	r := filledRig(t)
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.mustAgree(0, blk) // the first touch
	r.forgets()
	held := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Read, 0))
	read := start(func() error {
		var c collected
		defer c.release()
		return r.Read(context.Background(), &c, 0, blk)
	})
	<-held.Arrived()
	r.write(of('b', blk), 0)
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	held.Release(nil)
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if r.has(0, 1) != 0 {
		t.Error("flash has what was there before the write")
	}
	r.forgets()
	r.mustAgree(0, blk)
}

// Beside a write flash is not asked, nor joined: who has seen the new content must not see the old.
func TestFlashIsNotAskedWhileItsRunIsWritten(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 8)
	held := r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Write, 0))
	written := start(func() error { return r.Write(context.Background(), of('b', blk), 0, false) })
	<-held.Arrived()
	if n := r.arrayReads(func() { r.mustAgree(4*blk, blk) }); n != 1 {
		t.Errorf("the array was asked %d times", n)
	}
	held.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.forgets()
	if n := r.arrayReads(func() { r.mustAgree(4*blk, blk) }); n != 0 {
		t.Errorf("the array was asked %d times for what flash has", n)
	}
}

// A write whose outcome is not known leaves nothing behind (PROTOCOL E3).
func TestE3_NothingOfAnUnknownWriteIsInFlash(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 8)
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if op.Kind == arraytest.Write && at == arraytest.After {
			return cachecore.ErrUnknownOutcome
		}
		return nil
	})
	if err := r.Write(context.Background(), of('b', blk), 0, false); !errors.Is(err, cachecore.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	r.mem.Intercept(nil)
	if r.has(0, 1) != 0 {
		t.Error("flash has what was there before")
	}
	r.mustAgree(0, 8*blk)
}

// What the array may lose in a power cut is not kept where a restart finds it, until a flush has covered it.
func TestOnlyWhatTheArrayCannotLoseOutlivesTheProcess(t *testing.T) {
	r := filledRig(t)
	touch := func() {
		for range 3 {
			r.mustAgree(0, blk)
			r.forgets()
		}
	}
	touch()
	if r.has(0, 1) != 0 {
		t.Error("kept before anything was flushed: an earlier life may have written it")
	}
	if err := r.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	touch()
	if r.has(0, 1) != 1 {
		t.Fatal("not kept, though all is flushed")
	}
	r.write(of('b', blk), 0)
	r.forgets()
	touch()
	if r.has(0, 1) != 0 {
		t.Error("kept before the write was flushed")
	}
	r.crash(rand.New(rand.NewPCG(1, 1)))
	r.mem.Crash(nil) // and the array has lost the write
	r.mustAgree(0, blk)
	if err := r.Write(context.Background(), of('c', blk), 0, false); err != nil {
		t.Fatal(err)
	}
	r.forgets()
	if err := errors.Join(r.Flush(context.Background())); err != nil {
		t.Fatal(err)
	}
	touch()
	if r.has(0, 1) != 1 {
		t.Error("not kept, though the write is flushed")
	}
}

// A flush covers only the writes that were answered before it began.
func TestAFlushDoesNotCoverALaterWrite(t *testing.T) {
	r := filledRig(t)
	held := r.mem.Hold(arraytest.After, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush })
	flushed := start(func() error { return r.Flush(context.Background()) })
	<-held.Arrived()
	r.write(of('b', blk), 0)
	held.Release(nil)
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if r.lasts(0) || !r.lasts(512) {
		t.Error("the flush covers what it didn't, or not what it did")
	}
}

// When the device has failed a write waits until that is noted, and the volume goes on with RAM.
func TestAFailingFlashTierIsDoneWithout(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 24)
	r.restart()
	r.twin.OnCall(func(devicetest.Call) devicetest.Fault { return devicetest.Fault{Err: errors.New("gone")} })
	r.mustAgree(0, 24*blk)
	<-r.flash.Failed()
	r.write(of('b', 8*blk), 0)
	if r.condemned != 1 {
		t.Errorf("condemned %d times", r.condemned)
	}
	r.forgets()
	r.mustAgree(0, 24*blk)
}

// An error of what keeps flash fresh fails the write, or whatever else changes the array, and the array is not asked.
func TestAWriteThatFlashCannotForgetFails(t *testing.T) {
	for name, change := range map[string]func(context.Context, *flashRig) error{
		"write":   func(ctx context.Context, r *flashRig) error { return r.Write(ctx, of('b', blk), 0, false) },
		"discard": func(ctx context.Context, r *flashRig) error { return r.Discard(ctx, 0, blk, true) },
		"zero":    func(ctx context.Context, r *flashRig) error { return r.WriteZeroes(ctx, 0, blk) },
		"alter": func(ctx context.Context, r *flashRig) error {
			return r.Alter(ctx, 0, blk, func(ctx context.Context) error { return r.mem.Unmap(ctx, 0, blk) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := filledRig(t)
			r.cache(0, 24)
			r.restart() // so that it is on the device
			r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
				if c.Kind == devicetest.WriteDurable {
					return wait(r.life)
				}
				return devicetest.Fault{}
			})
			r.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
				if op.Kind != arraytest.Read {
					t.Errorf("the array is asked to %v", op.Kind)
				}
				return nil
			})
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			if err := change(ctx, r); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cachecore.ErrUnavailable) {
				t.Errorf("%v", err)
			}
			r.mem.Intercept(nil)
			r.forgets()
			r.mustAgree(0, 24*blk)
			r.twin.OnCall(nil)
		})
	}
}

// After a drop nothing is found, nor after a crash.
func TestADropReachesFlash(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 24)
	r.restart()
	r.Drop()
	if r.has(0, 24) != 0 {
		t.Error("found after a drop")
	}
	r.crash(rand.New(rand.NewPCG(1, 1)))
	if r.has(0, 24) != 0 {
		t.Error("found after a drop and a crash")
	}
}

// The last block, of which the array has a part, is not kept: when the array grows, between two lives, it is another one.
func TestTheLastPartOfABlockIsNotKeptInFlash(t *testing.T) {
	r := newFlashRig(t, cachecore.ArrayInfo{Size: 8*blk + 512}, 64)
	for range 3 {
		r.mustAgree(0, 8*blk+512)
		r.forgets()
	}
	if r.has(0, 9) != 8 {
		t.Fatalf("flash has %d blocks", r.has(0, 9))
	}
	r.end()
	r.mem.Grow(10 * blk)
	if err := r.mem.WriteAt(context.Background(), of('x', blk), 9*blk, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.begin()
	r.mustAgree(0, 10*blk)
}

// wait holds a call of the device until ctx ends.
func wait(ctx context.Context) devicetest.Fault {
	<-ctx.Done()
	return devicetest.Fault{}
}

// What flash has from when the array was longer is nothing when it is as long again.
func TestAnArrayThatGrowsAgainIsReadAnew(t *testing.T) {
	r := newFlashRig(t, cachecore.ArrayInfo{Size: 64 * blk}, 64)
	if err := r.mem.WriteAt(context.Background(), of('a', 64*blk), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.cache(0, 8)
	r.cache(40, 16)
	r.end()
	r.mem = arraytest.NewMem(cachecore.ArrayInfo{Size: 32*blk + 512})
	if err := r.mem.WriteAt(context.Background(), of('a', 32*blk+512), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.begin()
	r.mustAgree(0, 32*blk+512)
	r.mem.Grow(64 * blk)
	r.mustAgree(40*blk, 16*blk)
}

// Where the array's Flush doesn't answer for an earlier life, only Settle does.
func TestOnlySettlingCoversWhatFlushDoesNot(t *testing.T) {
	r := filledRig(t)
	settled := 0
	r.settle = func(ctx context.Context) error { settled++; return r.mem.Flush(ctx) }
	if err := errors.Join(r.Flush(context.Background()), r.Settle(context.Background())); err != nil || settled != 0 {
		t.Fatalf("%v, and settled %d times, for which nothing waits", err, settled)
	}
	if r.lasts(0) {
		t.Error("a flush covers what it doesn't know")
	}
	if err := r.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !r.lasts(0) || settled != 1 {
		t.Errorf("settled %d times, and it is covered: %v", settled, r.lasts(0))
	}
}
