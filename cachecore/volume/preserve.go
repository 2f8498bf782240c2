package volume

import (
	"runtime"
	"slices"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/flash"
	"forebay/cachecore/ram"
)

// hotFlash is a Flash that takes what RAM knows to be hot without having been asked for it before; a flash.Object is one.
type hotFlash interface {
	PrepareHot(first cachecore.Block, n int) flash.Batch
}

// walk brings what is hot in RAM to a flash tier that lasts. A step of it is one goroutine's.
type walk struct {
	flash     hotFlash
	at        ram.Walk
	found     []cachecore.Block // first blocks of runs that have something hot
	runs      []cachecore.Block // those of them that are yet to be looked at
	begun     time.Time         // when the way round began; zero: it has to begin
	unsettled bool              // something hot has been met since that a flush has to cover first
}

// The pace: 128 MiB of RAM a second, of which 8 MiB are copied, and not more than once around in roundEvery.
const (
	stepEvery  = 250 * time.Millisecond
	stepHolds  = 64              // of a lock, each for 128 slots
	stepBlocks = 512             // copied
	roundEvery = 5 * time.Second // also how long flash is left alone when it takes nothing
)

// Preserve goes a step on the way round what is in RAM, and has flash take what is hot there and isn't in flash. It returns when to call it again: not
// sooner, by one at a time. Where flash does not outlive the process there is nothing to do.
func (v *Volume) Preserve() (next time.Duration) {
	w := v.walk
	if w == nil || !v.calls.Enter() {
		return roundEvery
	}
	defer v.calls.Leave()
	if w.begun.IsZero() {
		w.begun = time.Now()
	}
	copied := 0
	for range stepHolds {
		if len(w.runs) == 0 && w.find(v.store, v.object) {
			return v.wentRound()
		}
		for len(w.runs) > 0 {
			if copied >= stepBlocks {
				return stepEvery
			}
			n, refused := v.preserveRun(w.runs[0])
			if refused { // the day's bytes are spent, or the device doesn't keep up, or has gone
				return roundEvery
			}
			copied, w.runs = copied+n, w.runs[1:]
		}
		runtime.Gosched()
	}
	return stepEvery
}

// find looks at some slots and says whether that was all of them.
func (w *walk) find(s *ram.Store, obj cachecore.ObjectID) (around bool) {
	w.found, around = s.Next(&w.at, obj, w.found[:0])
	slices.Sort(w.found)
	w.runs = slices.Compact(w.found)
	return around
}

// wentRound ends a way round. What has to be flushed first is flushed then, once for all, and copied the next time, if it isn't written again.
func (v *Volume) wentRound() (next time.Duration) {
	w := v.walk
	if w.unsettled {
		v.lasting.waits.Store(true)
	}
	next = max(stepEvery, roundEvery-time.Since(w.begun))
	w.begun, w.unsettled = time.Time{}, false
	return next
}

// preserveRun offers flash what is hot of a run. The generation is sampled before the content is taken: what RAM has then, and nothing is written to, is
// what the array has, until the generation is another one (PROTOCOL G1).
func (v *Volume) preserveRun(first cachecore.Block) (copied int, refused bool) {
	sampled, quiet := v.runs.sample(first, ram.RunBlocks)
	there := v.flash.Contains(first, ram.RunBlocks)
	if !quiet || there.All(ram.RunBlocks) {
		return 0, false
	}
	end := min(v.extent.Load()/cachecore.BlockSize, int64(flash.Blocks)) // a block that the array has in part is not for flash (offer)
	hot := v.store.Hot(v.object, first, int(min(ram.RunBlocks, end-int64(first))))
	defer hot.Release()
	wanted := func(i int) bool { return hot.Bytes(i) != nil && !there.Has(i) }
	for from := 0; from < ram.RunBlocks; {
		if !wanted(from) {
			from++
			continue
		}
		if !v.settled(first) {
			v.walk.unsettled = true
			return copied, false
		}
		to := from + 1
		for to%flash.LineBlocks != 0 && wanted(to) {
			to++
		}
		n := v.preserve(first, from, to, &hot, sampled[0])
		if n == 0 {
			return copied, true
		}
		from, copied = to, copied+n
	}
	return copied, false
}

// preserve offers flash blocks of one line, by their places in the run, and returns how many it made room for.
func (v *Volume) preserve(run cachecore.Block, from, to int, hot *ram.Hot, generation uint64) (n int) {
	batch := v.walk.flash.PrepareHot(run+cachecore.Block(from), to-from)
	for i := from; i < to; i++ {
		n += copy(batch.Bytes(i-from), hot.Bytes(i)) / cachecore.BlockSize
	}
	s := v.runs.of(run)
	s.mu.Lock()
	if s.quietSince(generation) && v.life.Err() == nil {
		batch.Publish()
	}
	s.mu.Unlock()
	batch.Abandon() // nothing, once it is published
	return n
}
