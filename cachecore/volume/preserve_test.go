package volume

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/flash"
)

// preserve goes round all that is in RAM, and has flushed what that waits for.
func (r *flashRig) preserve() {
	r.t.Helper()
	for r.Preserve() == stepEvery {
	}
	if err := r.Settle(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// settledRig is filledRig after a flush.
func settledRig(t *testing.T) *flashRig {
	r := filledRig(t)
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// reread reads blocks of which the first read comes from the array and the others from RAM.
func (r *flashRig) reread(first cachecore.Block, n int) {
	r.t.Helper()
	if reads := r.arrayReads(func() {
		for range 3 {
			r.mustAgree(int64(first)*blk, n*blk)
		}
	}); reads != 1 {
		r.t.Fatalf("the array was asked %d times", reads)
	}
}

// What is read from the array once and then from RAM is read from flash in the next life, if this one ends in order or not.
func TestWhatIsHotInRAMIsWarmAfterARestart(t *testing.T) {
	for name, again := range map[string]func(*flashRig){
		"end":   (*flashRig).restart,
		"crash": func(r *flashRig) { r.crash(rand.New(rand.NewPCG(1, 1))) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := settledRig(t)
				r.reread(0, 27) // of regions of 13 blocks
				if r.has(0, 27) != 0 {
					t.Fatal("flash has it already")
				}
				r.preserve()
				if n := r.has(0, 27); n != 27 {
					t.Fatalf("flash has %d of 27 blocks", n)
				}
				synctest.Wait() // for what is written
				again(r)
				if n := r.has(0, 16); n != 16 {
					t.Fatalf("flash has %d of 16 blocks", n)
				}
				if n := r.arrayReads(func() { r.mustAgree(0, 16*blk) }); n != 0 {
					t.Errorf("the array was asked %d times", n)
				}
			})
		})
	}
}

func TestWhatWasReadOnceIsNotPreserved(t *testing.T) {
	r := settledRig(t)
	r.mustAgree(0, 20*blk)
	r.mustAgree(5*blk, blk)
	r.preserve()
	if r.has(0, 20) != 1 || r.has(5, 1) != 1 {
		t.Errorf("flash has %d blocks", r.has(0, 20))
	}
}

// Of a block that is written over and over, and not read, nobody wants to know after a restart.
func TestWhatIsOnlyWrittenIsNotPreserved(t *testing.T) {
	r := settledRig(t)
	r.reread(0, 8)
	for range 4 {
		r.write(of('b', 8*blk), 0)
	}
	r.preserve() // which has it flushed, if it wants it
	r.preserve()
	if r.has(0, 8) != 0 {
		t.Error("flash has it")
	}
	r.mustAgree(0, 8*blk)
	r.preserve()
	r.preserve()
	if r.has(0, 8) != 8 {
		t.Error("flash hasn't what was read after it was written")
	}
}

// hooked is a flash tier with something that happens when hot blocks are offered to it.
type hooked struct {
	*flash.Object
	before func()
	offers int
}

func (h *hooked) PrepareHot(first cachecore.Block, n int) flash.Batch {
	h.offers++
	if h.before != nil {
		h.before()
	}
	return h.Object.PrepareHot(first, n)
}

func (r *flashRig) hook(before func()) *hooked {
	h := &hooked{r.object, before, 0}
	r.walk.flash = h
	return h
}

// PROTOCOL G1, for what comes from RAM: what was there before a write isn't published behind it.
func TestG1_NothingHotIsPublishedOverAWriteThatCameAfterIt(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*flashRig) error{
		"write":   func(r *flashRig) error { return r.Write(ctx, of('b', blk), 0, true) },
		"discard": func(r *flashRig) error { return r.Discard(ctx, 0, blk, true) },
		"drop":    func(r *flashRig) error { r.Drop(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := settledRig(t)
			r.reread(0, 8)
			r.hook(func() {
				if err := change(r); err != nil {
					t.Error(err)
				}
			})
			r.preserve()
			if r.has(0, 8) != 0 {
				t.Error("flash has what was there before")
			}
			r.crash(rand.New(rand.NewPCG(1, 1)))
			r.mustAgree(0, 8*blk)
		})
	}
}

// Beside a write nothing is offered: RAM hides what it changes, and flash must not get the rest of the run under a generation that ends.
func TestNothingHotIsOfferedWhileItsRunIsWritten(t *testing.T) {
	r := settledRig(t)
	r.reread(0, 8)
	h := r.hook(nil)
	r.runs.begin(15, 1)
	r.preserve()
	if h.offers != 0 {
		t.Errorf("%d offers", h.offers)
	}
	r.runs.end(15, 1)
	r.preserve()
	if h.offers != 1 || r.has(0, 8) != 8 {
		t.Errorf("%d offers, flash has %d blocks", h.offers, r.has(0, 8))
	}
}

// What the array may lose in a power cut waits for a flush, and has one made, once for all that a way round meets.
func TestOnlyWhatTheArrayCannotLoseIsPreserved(t *testing.T) {
	r := settledRig(t)
	r.reread(0, 8)
	r.write(of('b', blk), 0)
	r.mustAgree(0, 8*blk)
	for r.Preserve() == stepEvery {
	}
	if r.has(0, 8) != 0 {
		t.Fatal("flash has what is not flushed")
	}
	if err := r.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.preserve()
	if n := r.has(0, 8); n != 8 {
		t.Fatalf("flash has %d blocks, though it is flushed", n)
	}
	if r.lasting.waits.Load() {
		t.Error("a flush is waited for yet")
	}
}

// The last block, of which the array has a part, is not kept.
func TestTheLastPartOfABlockIsNotPreserved(t *testing.T) {
	r := newFlashRig(t, cachecore.ArrayInfo{Size: 8*blk + 512}, 64)
	for range 3 {
		r.mustAgree(0, 8*blk+512)
	}
	r.preserve()
	if r.has(0, 9) != 8 {
		t.Fatalf("flash has %d blocks", r.has(0, 9))
	}
}

// What flash has no names for is passed over, and what else is hot is preserved.
func TestAWalkPassesWhatFlashCannotHave(t *testing.T) {
	const run = 16
	for first, has := range map[cachecore.Block]int{flash.Blocks - run/2: run / 2, flash.Blocks + run/2: 0} {
		r := settledRig(t)
		r.extent.Store(int64(first+run) * blk)
		r.reaches(first + run)
		batch := r.ram.Prepare(1, first, run)
		batch.Publish()
		for range 3 {
			var c collected
			if !r.ram.ReadNow(1, int64(first)*blk, run*blk, &c) {
				t.Fatal("not in RAM")
			}
			c.release()
		}
		r.preserve()
		if n := r.has(first, run); n != has {
			t.Errorf("flash has %d of %d blocks from %d on, want %d", n, run, first, has)
		}
		r.reread(0, 8)
		r.preserve()
		if n := r.has(0, 8); n != 8 {
			t.Errorf("behind block %d flash has %d of 8 blocks", first, n)
		}
	}
}

// A flash tier that takes nothing is left alone for a while; then the walk goes on with what it was at.
func TestAWalkRestsWhileFlashTakesNothing(t *testing.T) {
	r := filledRig(t)
	r.cache(64, 24)
	r.restart() // so that it is on the device
	r.twin.OnCall(func(devicetest.Call) devicetest.Fault { return devicetest.Fault{Err: errors.New("gone")} })
	r.mustAgree(64*blk, 24*blk)
	<-r.flash.Failed()
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.reread(0, 16)
	h := r.hook(nil)
	for range 3 {
		if next := r.Preserve(); next != roundEvery {
			t.Errorf("again after %v", next)
		}
	}
	if h.offers != 3 {
		t.Errorf("%d offers in 3 steps", h.offers)
	}
}

// Where nothing outlives the process there is no walk, nor after the volume's end.
func TestAWalkIsForATierThatLastsAndEndsWithTheVolume(t *testing.T) {
	r := settledRig(t)
	r.reread(0, 8)
	h := r.hook(nil)
	r.end()
	if r.Preserve() != roundEvery || h.offers != 0 {
		t.Error("it goes on after the volume's end")
	}
	r.keeps = false
	r.begin()
	r.reread(0, 8)
	if r.Preserve() != roundEvery || r.has(0, 8) != 0 {
		t.Error("something perishable is preserved")
	}
}

// A way round takes a while at least, however little there is to see, and copies a bounded number of blocks in a step.
func TestAWalkIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := settledRig(t)
		if next := r.Preserve(); next != roundEvery {
			t.Errorf("again after %v", next)
		}
		time.Sleep(roundEvery)
		r.reread(0, 8)
		time.Sleep(time.Second)
		if next := r.Preserve(); next != roundEvery || r.has(0, 8) != 8 {
			t.Errorf("again after %v; flash has %d blocks", next, r.has(0, 8))
		}
	})
}
