package volume

import (
	"context"
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/device/devicetest"
)

// What flash answers, the cache answers: a sample of that is timed, as of what RAM has.
func TestWhatFlashAnswersIsTimedAsTheCaches(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 1)
	before := r.counts.Snapshot().Local.Count
	for range 500 { // of which one in 16 is timed
		r.mustAgree(0, blk)
		r.forgets()
	}
	if s := r.counts.Snapshot(); s.Local.Count == before || s.MissedBlocks != 2 {
		t.Errorf("%d reads timed, %d blocks missed", s.Local.Count-before, s.MissedBlocks)
	}
}

// Where flash lacks some and has rotten ones, before or behind those, the array is asked for both.
func TestARottenBlockBesideOnesThatAreMissingIsReadFromTheArray(t *testing.T) {
	for _, first := range []cachecore.Block{0, 8} {
		r := filledRig(t)
		r.cache(first, 24) // more than a region
		r.restart()
		for off := int64(0); off < r.twin.Size(); off += blk {
			if off >= 34*blk && off%(16*blk) == 2*blk { // the first block of each region
				r.twin.Flip(off, 0x10)
			}
		}
		r.mustAgree(0, 32*blk)
		if r.flash.Stats().Mismatches == 0 {
			t.Error("nothing was rotten")
		}
		r.mustAgree(0, 32*blk) // from RAM
	}
}

// A read of which flash has a part fails if the array doesn't give the rest, and nothing of it is cached.
func TestAReadFailsWithTheArrayThoughFlashHasSome(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 8)
	broken := errors.New("medium error")
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if op.Kind == arraytest.Read && at == arraytest.Before {
			return broken
		}
		return nil
	})
	var c collected
	if err := r.Read(context.Background(), &c, 0, 16*blk); !errors.Is(err, broken) || len(c.parts) > 0 {
		t.Errorf("%v, with %d parts", err, len(c.parts))
	}
	c.release()
	r.mem.Intercept(nil)
	r.mustAgree(0, 16*blk)
}

// What a read was given up for is not taken for what flash has.
func TestAReadOfFlashThatIsGivenUpInstallsNothing(t *testing.T) {
	info := someDisk
	info.Interruptible = true
	r := filledRigOver(t, info)
	r.cache(0, 8)
	r.restart() // so that it is on the device
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Read {
			select {
			case arrived <- struct{}{}:
			default:
			}
			<-release
		}
		return devicetest.Fault{}
	})
	ctx, cancel := context.WithCancel(context.Background())
	read := start(func() error { return r.Read(ctx, &collected{}, 0, 8*blk) })
	<-arrived
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	r.twin.OnCall(nil)
	r.mustAgree(0, 8*blk)
}

// A backup that reads everything is nothing for flash, however often it comes.
func TestALongSequentialReaderBypassesFlash(t *testing.T) {
	r := settledRig(t)
	r.streams.threshold = 64 * kib
	for range 3 {
		for off := int64(0); off < mib; off += 16 * kib {
			r.mustAgree(off, 16*kib)
		}
		r.forgets()
		r.mustAgree(8*mib, 16*kib) // this one is no part of it
	}
	if r.has(2048, 4) != 4 {
		t.Error("flash has nothing of what was read again")
	}
	if n := r.has(16, 240); n != 0 {
		t.Errorf("flash has %d blocks of the stream", n)
	}
}

// lateDrop is a tier that has everything until a drop of it goes on.
type lateDrop struct {
	Flash
	arrived, release chan struct{}
}

func (f *lateDrop) Drop(ctx context.Context) error {
	close(f.arrived)
	<-f.release
	return f.Flash.Drop(ctx)
}

// What a drop is about to forget in flash doesn't come back into RAM meanwhile.
func TestNothingIsInstalledOfWhatADropIsAboutToForgetInFlash(t *testing.T) {
	r := filledRig(t)
	r.cache(0, 8)
	below := &lateDrop{Flash: r.object, arrived: make(chan struct{}), release: make(chan struct{})}
	r.Volume.flash = below
	if err := r.mem.WriteAt(context.Background(), of('b', 8*blk), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	dropped := start(func() error { r.Drop(); return nil })
	<-below.arrived
	var c collected
	if err := r.Read(context.Background(), &c, 0, 8*blk); err != nil {
		t.Error(err)
	}
	c.release()
	close(below.release)
	<-dropped
	r.Volume.flash = r.object
	r.mustAgree(0, 8*blk)
}
