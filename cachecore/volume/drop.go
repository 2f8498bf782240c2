package volume

import (
	"context"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
)

// drops counts the drops that began and those that ended: it is odd while one is under way. mu is held through a drop; it comes before all
// other locks.
type drops struct {
	mu    sync.Mutex
	turns atomic.Uint64
}

// now is what none is to be compared with.
func (d *drops) now() uint64 { return d.turns.Load() }

// none says whether no drop was under way when since was taken nor has begun after it. With a stripe locked it remains so for that stripe
// until it is unlocked: a drop that begins now goes over what is installed meanwhile.
func (d *drops) none(since uint64) bool { return since%2 == 0 && d.turns.Load() == since }

// Drop forgets all that is cached, whatever is under way: the array was changed behind our back.
func (v *Volume) Drop() {
	v.drops.mu.Lock()
	defer v.drops.mu.Unlock()
	v.drop(0, all, v.dropFlash)
}

// Overtake has nothing installed that is being read by now: what comes into the cache from here on was asked for later. What is cached stays.
func (v *Volume) Overtake() {
	v.runs.begin(0, all)
	v.runs.end(0, all)
}

// drop forgets a range as if it were written. A write that begins while it is under way may find cached what is about to be forgotten, so it
// installs nothing. below forgets it in flash.
func (v *Volume) drop(first cachecore.Block, n uint64, below func()) {
	v.drops.turns.Add(1)
	v.runs.begin(first, n)
	v.forget(first, n)
	below()
	v.runs.end(first, n)
	v.drops.turns.Add(1)
}

// forget drops what is cached of a range whose runs have a writer: nothing is installed there meanwhile.
func (v *Volume) forget(first cachecore.Block, n uint64) {
	reach := v.reach.Load()
	v.store.Drop(v.object, first, min(n, reach-min(reach, uint64(first))))
}

// reaches notes, before the stripe is locked under which they are installed, that blocks up to end may be cached.
func (v *Volume) reaches(end cachecore.Block) {
	for {
		reach := v.reach.Load()
		if reach >= uint64(end) || v.reach.CompareAndSwap(reach, uint64(end)) {
			return
		}
	}
}

// resize makes the cache fit the array's present size. The last block may have been cached in part, with zeros behind its end: it goes before
// anyone reads there. Fills and writes look at the extent after the stripe and the drop count, which change after it.
//
// Flash may have blocks beyond the old end, from an earlier life in which the array reached as far.
func (v *Volume) resize(ctx context.Context) error {
	v.drops.mu.Lock()
	defer v.drops.mu.Unlock()
	size, old := v.array.Info().Size, v.extent.Load()
	if size < old {
		v.readable.Store(size)
	} else if size > old {
		first, blocks := blocksOf(old, size-old)
		if err := v.invalidate(ctx, first, uint64(blocks)); err != nil {
			return err
		}
	}
	v.extent.Store(size)
	switch {
	case size < old:
		v.drop(0, all, v.dropFlash)
	case size > old && old%cachecore.BlockSize != 0:
		v.drop(cachecore.Block(old/cachecore.BlockSize), 1, func() {})
	}
	v.readable.Store(size)
	return nil
}
