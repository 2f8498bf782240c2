package ram

import (
	"time"

	"forebay/cachecore"
)

// Walk is a way over all slots of a store, some at a time, in search of what is hot. Its zero value is the beginning. It is one goroutine's.
type Walk struct {
	shard int
	slot  uint32
}

// passes is how long touches that lie apart by it are of two uses, whether anything was admitted in between or not.
const passes = 5 * time.Second

// Next goes over the next slots, in one short hold of a lock, and appends the first blocks of runs in which it finds blocks of an object that are hot. A
// run may come again. At the end it goes over none, says so, and is at the beginning. What moves meanwhile, as it has new content, may be missed.
func (s *Store) Next(w *Walk, obj cachecore.ObjectID, list []cachecore.Block) (_ []cachecore.Block, around bool) {
	if w.shard >= len(s.shards) {
		*w = Walk{}
		return list, true
	}
	sh := &s.shards[w.shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if w.slot == 0 {
		sh.pass(time.Now())
	}
	to := min(w.slot+step, sh.backed)
	for slot := w.slot; slot < to; slot++ {
		k := key(sh.keys[slot])
		if sh.meta[slot]&(again|hidden) != again || k.object() != obj || !sh.holds(slot) {
			continue
		}
		run := k.block() &^ (RunBlocks - 1)
		if n := len(list); n == 0 || list[n-1] != run {
			list = append(list, run)
		}
	}
	if w.slot = to; to == sh.backed {
		*w = Walk{shard: w.shard + 1}
	}
	return list, false
}

// pass lets time go on where nothing is admitted: all of what is read over and over may have been so for long.
func (sh *shard) pass(now time.Time) {
	if now.Sub(sh.passed) >= passes {
		sh.passed = now
		sh.policy.pass()
	}
}

// Hot is blocks of one run that were read again since their content came here, pinned. It is one goroutine's; its zero value has none.
type Hot struct {
	store *Store
	sh    *shard
	slots [RunBlocks]uint32 // of the shard; none: it isn't here, or not hot
	n     int
}

// Hot pins those of n blocks from first on, of one run, that are hot. It counts as no use.
func (s *Store) Hot(obj cachecore.ObjectID, first cachecore.Block, n int) Hot {
	k, ok := keyOf(obj, first, uint64(n))
	if !ok || n <= 0 || n > k.inRun() {
		return Hot{}
	}
	h := Hot{store: s, sh: s.shardOf(k), n: n}
	h.sh.mu.Lock()
	defer h.sh.mu.Unlock()
	for i := range n {
		slot := h.sh.visible(k + key(i))
		if slot != none && h.sh.meta[slot]&again == 0 {
			slot = none
		}
		if h.slots[i] = slot; slot != none && h.sh.refs[slot].Add(1) == 1 {
			h.sh.pinned.Add(1)
		}
	}
	return h
}

// Bytes is the content of the i-th block until Release; nil: it isn't among them.
func (h *Hot) Bytes(i int) []byte {
	if i >= h.n || h.slots[i] == none {
		return nil
	}
	return h.store.bytes(h.sh.base+h.slots[i], 1)
}

// Release gives the pins back, once.
func (h *Hot) Release() {
	for _, slot := range h.slots[:h.n] {
		if slot != none {
			h.sh.unpin(slot, 1)
		}
	}
	h.n = 0
}
