package ram

import (
	"sync"
	"sync/atomic"
)

// shard is an equal part of a store: its slots, a hash table over them, and their policy. All but refs and pinned is guarded by mu.
//
// Index bytes a slot: key 8, neighbours 8, refs 4, chain 4, bucket 4, policy's state 4 and ghost 4.
type shard struct {
	base uint32 // store-wide number of its first slot
	seed uint64

	pinned atomic.Int64 // slots with pins

	mu sync.Mutex
	links
	keys    []uint64
	chain   []uint32 // next slot of the same bucket
	buckets []uint32 // first slot of each
	meta    []uint32 // the policy's, and hidden
	refs    []atomic.Uint32
	policy  policy

	free   uint32 // list through next
	out    int    // slots that are not free: reserved, cached or detached
	cached int
	closed bool
	idle   chan struct{} // closed when closed and out is 0

	hits, misses, inserts, evictions, refused uint64 // blocks

	_ [64]byte // the next shard's mutex is on another cache line
}

// detached marks the refs of a slot that nobody finds any more. Pins never reach it.
const detached = 1 << 31

func (sh *shard) init(base uint32, slots int, seed uint64, newPolicy func(*shard) policy) {
	sh.base, sh.seed = base, seed
	sh.links = links{next: make([]uint32, slots), prev: make([]uint32, slots)}
	sh.keys = make([]uint64, slots)
	sh.chain = make([]uint32, slots)
	sh.buckets = make([]uint32, slots)
	sh.meta = make([]uint32, slots)
	sh.refs = make([]atomic.Uint32, slots)
	sh.idle = make(chan struct{})
	for i := range sh.buckets {
		sh.buckets[i] = none
		sh.next[i] = uint32(i) + 1
	}
	sh.next[slots-1] = none
	sh.policy = newPolicy(sh)
}

func (sh *shard) hash(k key) uint64 { return mix(uint64(k) ^ sh.seed) }

func (sh *shard) bucket(k key) *uint32 {
	return &sh.buckets[within(uint32(sh.hash(k)>>32), len(sh.buckets))]
}

// find returns the slot of a key, hidden or not.
func (sh *shard) find(k key) uint32 {
	slot := *sh.bucket(k)
	for slot != none && sh.keys[slot] != uint64(k) {
		slot = sh.chain[slot]
	}
	return slot
}

// visible returns the slot of a key unless it is hidden.
func (sh *shard) visible(k key) uint32 {
	slot := sh.find(k)
	if slot != none && sh.meta[slot]&hidden != 0 {
		return none
	}
	return slot
}

// pin finds the slots of keys from k on, all in this shard, and pins them; all or none. It leaves store-wide numbers.
func (sh *shard) pin(k key, slots []uint32) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := range slots {
		if slots[i] = sh.visible(k + key(i)); slots[i] == none {
			return false
		}
	}
	fresh := 0
	for i, slot := range slots {
		if sh.refs[slot].Add(1) == 1 {
			fresh++
		}
		sh.policy.touch(slot)
		slots[i] = sh.base + slot
	}
	sh.pinned.Add(int64(fresh))
	sh.hits += uint64(len(slots))
	return true
}

// unpin gives back one pin each of n slots from the first on.
func (sh *shard) unpin(first uint32, n int) {
	idle := 0
	for slot := first; slot < first+uint32(n); slot++ {
		switch sh.refs[slot].Add(^uint32(0)) {
		case 0:
			idle++
		case detached:
			idle++
			sh.mu.Lock()
			sh.release(slot)
			sh.mu.Unlock()
		}
	}
	sh.pinned.Add(-int64(idle))
}

// reserve takes a slot for new content: a free one, or a victim's. none: all are pinned, reserved or going away.
func (sh *shard) reserve() uint32 {
	if sh.closed {
		return none
	}
	if sh.free == none {
		victim := sh.policy.victim()
		if victim == none {
			sh.refused++
			return none
		}
		sh.evictions++
		sh.unlink(victim)
		sh.release(victim)
	}
	slot := sh.free
	sh.free = sh.next[slot]
	sh.out++
	return slot
}

// release makes a slot free that nobody finds or pins.
func (sh *shard) release(slot uint32) {
	sh.refs[slot].Store(0)
	sh.next[slot] = sh.free
	sh.free = slot
	if sh.out--; sh.closed && sh.out == 0 {
		close(sh.idle)
	}
}

// install makes a reserved slot the content of a key, in place of what was there. The caller has filled it.
func (sh *shard) install(k key, slot uint32) {
	old := sh.find(k)
	if old != none {
		sh.policy.touch(old)
		sh.policy.replace(old, slot)
		sh.unlink(old)
		sh.detach(old)
	} else {
		sh.policy.admit(slot, uint32(sh.hash(k)))
	}
	sh.keys[slot] = uint64(k)
	bucket := sh.bucket(k)
	sh.chain[slot], *bucket = *bucket, slot
	sh.cached++
	sh.inserts++
}

// drop makes a key's content unknown to all.
func (sh *shard) drop(slot uint32) {
	sh.policy.remove(slot)
	sh.unlink(slot)
	sh.detach(slot)
}

// unlink takes a slot out of the hash table.
func (sh *shard) unlink(slot uint32) {
	at := sh.bucket(key(sh.keys[slot]))
	for *at != slot {
		at = &sh.chain[*at]
	}
	*at = sh.chain[slot]
	sh.cached--
}

// detach frees a slot that is in no table and queue, or leaves that to its last Release.
func (sh *shard) detach(slot uint32) {
	if sh.refs[slot].Add(detached) == detached {
		sh.release(slot)
	}
}
