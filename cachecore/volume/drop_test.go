package volume

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// A write that begins while a drop is under way may have found what is about to be dropped, and must not merge into it.
func TestG2_NoMergeIsInstalledIntoWhatADropIsAboutToForget(t *testing.T) {
	r := newRig(t, wishes{})
	r.mustWrite(of('a', blk), 0)
	r.onArray(of('s', blk), 0) // behind our back

	last := &r.runs.table[stripes-1]
	last.mu.Lock() // the drop gets no further than that
	dropped := start(func() error { r.Drop(); return nil })
	for r.drops.now() == 0 {
		runtime.Gosched()
	}
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 512))
	written := start(func() error { return r.Write(context.Background(), of('b', 512), 512, false) })
	<-write.Arrived()
	last.mu.Unlock()
	<-dropped
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.mustRead(0, bytes.Join([][]byte{of('s', 512), of('b', 512), of('s', blk-1024)}, nil))
}

// Nor if it ends before the drop does, which takes its time in flash.
func TestG2_NoMergeIsInstalledBehindADropThatIsUnderWay(t *testing.T) {
	ctx := context.Background()
	r := filledRig(t)
	below := &lateDrop{Flash: r.object, arrived: make(chan struct{}), release: make(chan struct{})}
	r.Volume.flash = below
	r.write(of('a', blk), 0)
	if err := r.mem.WriteAt(ctx, of('s', blk), 0, cachecore.WriteOptions{}); err != nil { // behind our back
		t.Fatal(err)
	}
	last := &r.runs.table[stripes-1]
	last.mu.Lock() // the drop has forgotten nothing yet
	dropped := start(func() error { r.Drop(); return nil })
	for r.drops.now() == 0 {
		runtime.Gosched()
	}
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 512))
	written := start(func() error { return r.Write(ctx, of('b', 512), 512, false) })
	<-write.Arrived()
	last.mu.Unlock()
	<-below.arrived
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	close(below.release)
	<-dropped
	r.Volume.flash = r.object
	r.mustAgree(0, blk)
}

// What the cache has of the last block, zeros beyond the old end, is of no use once there is more.
func TestNobodyReadsBeyondTheOldEndWhatWasCachedBefore(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib + 512}})
	r.mustWrite(of('a', 512), mib)
	r.mem.Grow(2 * mib)
	r.onArray(of('b', blk), mib+512)

	last := r.runs.of(mib / blk)
	last.mu.Lock() // whoever finds first that the array has grown gets no further than that
	first := start(func() error { _, err := r.read(mib+mib/2, blk); return err })
	for r.extent.Load() == mib+512 {
		runtime.Gosched()
	}
	second := start(func() error {
		got, err := r.read(mib, blk)
		if !bytes.Equal(got, append(of('a', 512), of('b', blk-512)...)) {
			t.Error("other bytes")
		}
		return err
	})
	for range 1000 { // every chance to be too early
		runtime.Gosched()
	}
	last.mu.Unlock()
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
}

// What an array has grown by is not read before flash has forgotten what it may have of there, from when the array was as long.
func TestNobodyReadsBeyondTheOldEndBeforeFlashHasForgotten(t *testing.T) {
	below := &slowFlash{forgotten: make(chan error, 3)}
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib}, o: Options{Flash: below}})
	r.mem.Grow(2 * mib)
	r.onArray(of('b', blk), mib)
	gone := errors.New("the mark can't be written")
	for _, err := range []error{gone, gone, nil} {
		below.forgotten <- err
	}
	for range 2 {
		if _, err := r.read(mib, blk); !errors.Is(err, gone) {
			t.Errorf("a read ends with %v", err)
		}
	}
	r.mustRead(mib, of('b', blk))
}

// What was asked for before is not installed any more; what is there stays.
func TestNothingIsInstalledThatWasOvertaken(t *testing.T) {
	r := newRig(t, wishes{})
	r.mustRead(mib, make([]byte, blk))
	fill, got := heldFill(r, 0, blk)
	r.Overtake()
	fill.Release(nil)
	<-got
	r.mustMiss(0, blk)
	r.mustHit(mib, make([]byte, blk))
	r.mustRead(0, make([]byte, blk))
	r.mustHit(0, make([]byte, blk))
}

func TestG2_NoMergeIsInstalledIntoABlockThatHasGrown(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib + 512}})
	r.mustWrite(of('a', 512), mib)
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, mib))
	written := start(func() error { return r.Write(context.Background(), of('c', 512), mib, false) })
	<-write.Arrived()
	r.mem.Grow(2 * mib)
	r.onArray(of('b', blk), mib+512)
	r.mustRead(mib+blk, of('b', 512))
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.mustRead(mib, append(of('c', 512), of('b', blk)...))
}

func TestTheCacheForgetsWhatAnArrayThatHasShrunkNoLongerHas(t *testing.T) {
	size := int64(2 * mib)
	shrinking := func(m *arraytest.Mem) cachecore.Array { return resized{m, &size} }
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: 2 * mib}, array: shrinking})
	r.mustWrite(of('a', blk), 2*mib-blk)
	size = mib
	if _, err := r.read(0, blk); err != nil {
		t.Fatal(err)
	}
	r.mustMiss(2*mib-blk, blk)
	if _, err := r.read(2*mib-blk, blk); !errors.Is(err, cachecore.ErrOutOfRange) {
		t.Error(err)
	}
}

// resized is a part of an array.
type resized struct {
	*arraytest.Mem
	size *int64
}

func (a resized) Info() cachecore.ArrayInfo {
	info := a.Mem.Info()
	info.Size = *a.size
	return info
}

// Close that could not wait leaves I/O under way, which must leave nothing in the store.
func TestNothingIsInstalledAfterClose(t *testing.T) {
	deaf := func(m *arraytest.Mem) cachecore.Array { return withoutContext{m} }
	r := newRig(t, wishes{array: deaf})
	r.mustWrite(of('a', blk), mib)
	reads, writes := r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Read, 0)), r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Write, blk))
	read := start(func() error { _, err := r.read(0, blk); return err })
	first := start(func() error { return r.Write(context.Background(), of('b', blk), blk, false) })
	<-reads.Arrived()
	<-writes.Arrived()
	second := start(func() error { return r.Write(context.Background(), of('c', blk), blk, false) }) // begins after Close
	for len(r.locks.places) < 2 {
		runtime.Gosched()
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Close(ended); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	reads.Release(nil)
	writes.Release(nil)
	<-read
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
	if used := r.store.Stats().UsedBytes; used != 0 {
		t.Errorf("%d bytes are cached", used)
	}
}

// withoutContext is an array whose calls can't be given up.
type withoutContext struct{ *arraytest.Mem }

func (a withoutContext) ReadAt(_ context.Context, p []byte, off int64) error {
	return a.Mem.ReadAt(context.Background(), p, off)
}
