package volume

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/flash"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
)

// flashRig is a volume over a memory array, with a flash tier on a twin that outlives it, as the array does.
type flashRig struct {
	t         tester
	mem       *arraytest.Mem
	twin      *devicetest.Twin
	id        flash.ID
	keeps     bool
	slots     int // of RAM
	condemned int

	*Volume
	ram    *ram.Store
	flash  *flash.Store
	object *flash.Object
	counts *stats.Volume
	over   bool   // the life has ended
	served uint64 // blocks, by flash in the lives that ended
}

func newFlashRig(t tester, info cachecore.ArrayInfo, slots int) *flashRig {
	t.Helper()
	r := &flashRig{t: t, mem: arraytest.NewMem(info), twin: devicetest.New(3 * mib / 2), keeps: true, slots: slots}
	id, err := flash.Format(r.twin, flash.FormatOptions{RegionBytes: 64 * kib})
	if err != nil {
		t.Fatal(err)
	}
	r.id = id
	r.begin()
	t.Cleanup(r.end)
	return r
}

// begin is a life: all is found again on the twin.
func (r *flashRig) begin() {
	r.t.Helper()
	var err error
	o := flash.Options{ID: r.id, ReadMemory: mib, Patience: time.Minute, Condemn: func(context.Context) error { r.condemned++; return nil }}
	if r.flash, err = flash.Open(r.twin, o); err != nil {
		r.t.Fatal(err)
	}
	if r.object, err = r.flash.Attach(context.Background(), flash.Key{1}, 1, 1); err != nil {
		r.t.Fatal(err)
	}
	if r.ram, err = ram.NewStore(make([]byte, r.slots*blk)); err != nil {
		r.t.Fatal(err)
	}
	r.counts, r.over = new(stats.Volume), false
	r.Volume = New(Options{Object: 1, Array: r.mem, Store: r.ram, Buffers: ram.NewBuffers(make([]byte, 8*mib)), Stats: r.counts, SequentialBypass: -1,
		Flash: r.object, FlashLasts: r.keeps})
}

// end is a clean one.
func (r *flashRig) end() {
	r.t.Helper()
	if r.over {
		return
	}
	r.over = true
	r.served += r.flash.Stats().Hits
	if err := r.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
	if err := r.flash.Close(context.Background()); err != nil && r.flash.Err() == nil {
		r.t.Error(err)
	}
}

// crash ends a life anywhere: the twin has what a power cut leaves of it.
func (r *flashRig) crash(random *rand.Rand) {
	r.t.Helper()
	var left *devicetest.Twin
	r.twin.Crash(r.twin.Events()).Each(1+random.IntN(8), random, func(image []byte) bool {
		left = devicetest.FromImage(image)
		return true
	})
	r.end() // on the old twin, which nobody looks at any more
	r.twin = left
	r.begin()
}

// restart is a clean end and a new life.
func (r *flashRig) restart() {
	r.t.Helper()
	r.end()
	r.begin()
}

// forgets empties the RAM, so that the next read asks flash.
func (r *flashRig) forgets() { r.ram.Drop(1, 0, 1<<30) }

// cache reads blocks until flash has them.
func (r *flashRig) cache(first cachecore.Block, n int) {
	r.t.Helper()
	if err := r.Flush(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	for range 2 {
		r.mustAgree(int64(first)*blk, n*blk)
		r.forgets()
	}
	if f := r.object.Contains(first, n); !f.All(n) {
		r.t.Fatalf("flash has not taken blocks %d to %d", first, int(first)+n)
	}
}

func (r *flashRig) has(first cachecore.Block, n int) int { return r.inFlash(first, n) }

// mustAgree reads through the volume what the array has.
func (r *flashRig) mustAgree(off int64, n int) {
	r.t.Helper()
	var c collected
	defer c.release()
	if err := r.Read(context.Background(), &c, off, n); err != nil {
		r.t.Fatal(err)
	}
	want := make([]byte, n)
	if err := r.mem.ReadAt(context.Background(), want, off); err != nil {
		r.t.Fatal(err)
	}
	if got := c.bytes(); !bytes.Equal(got, want) {
		r.t.Fatalf("other bytes at %d+%d, flash has %d blocks of them", off, n, r.has(cachecore.Block(off/blk), n/blk))
	}
}

func (r *flashRig) write(p []byte, off int64) {
	r.t.Helper()
	if err := r.Write(context.Background(), p, off, false); err != nil {
		r.t.Fatal(err)
	}
}

// arrayReads counts what the volume reads of the array meanwhile.
func (r *flashRig) arrayReads(f func()) uint64 {
	before := r.counts.Snapshot().ArrayReads.Operations
	f()
	return r.counts.Snapshot().ArrayReads.Operations - before
}

// someDisk has a write cache, and three extents.
var someDisk = cachecore.ArrayInfo{Size: 12 * mib, WriteCache: true, Thin: true, UnmapZeroes: true}

// filledRig is over an array that has something everywhere.
func filledRig(t *testing.T) *flashRig { return filledRigOver(t, someDisk) }

func filledRigOver(t *testing.T, info cachecore.ArrayInfo) *flashRig {
	r := newFlashRig(t, info, 64)
	p := make([]byte, info.Size)
	for i := range p {
		p[i] = byte(i/blk) ^ byte(i/512)
	}
	if err := r.mem.WriteAt(context.Background(), p, 0, cachecore.WriteOptions{FUA: true}); err != nil {
		t.Fatal(err)
	}
	return r
}
