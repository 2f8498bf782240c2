package ram

import (
	"sync"
	"sync/atomic"
	"time"
)

// shard is an equal part of a store: its slots, a hash table over them, and their policy. All but refs and pinned is guarded by mu.
//
// Index bytes a slot: key 8, neighbours 8, refs 4, chain 4, bucket 4, policy's state 4 and ghost 4.
type shard struct {
	base uint32 // store-wide number of its first slot
	seed uint64

	pinned atomic.Int64 // slots with pins

	mu          sync.Mutex
	filed, mask uint32 // buckets, and the bits that number them
	index
	policy policy
	passed time.Time // when the policy was last told that time passes

	free   queue // the newest is used first
	out    int   // slots that are not free: reserved, cached or detached
	cached int
	closed bool
	idle   chan struct{} // closed when closed and out is 0

	limit   uint32 // slots from here on are not used any more, and those
	backed  uint32 // from here on have no memory
	leaving uint32 // of those in between, how many are in use yet
	vacant  chan struct{}

	hits, misses, inserts, evictions, refused uint64 // blocks

	_ [64]byte // the next shard's mutex is on another cache line
}

// Marks of refs: a slot that nobody finds any more, and a free one. Pins never reach them.
const (
	detached = 1 << 31
	idling   = 1 << 30
)

// init makes a shard of slots that have memory.
func (sh *shard) init(x index, base, slots uint32, seed uint64, newPolicy func(*shard) policy) {
	sh.index, sh.base, sh.seed = x, base, seed
	sh.idle = make(chan struct{})
	sh.free = newQueue(&sh.links)
	sh.prepare(0, slots)
	sh.add(slots)
	sh.setBuckets(slots)
	sh.policy = newPolicy(sh)
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
	for leaving := 0; sh.free.n == 0; leaving++ {
		victim := none
		if leaving < maxLeaving {
			victim = sh.policy.victim()
		}
		if victim == none {
			sh.refused++
			return none
		}
		sh.evictions++
		sh.unlink(victim)
		sh.release(victim)
	}
	slot := sh.free.newest
	sh.free.remove(slot)
	sh.refs[slot].Store(0)
	sh.out++
	return slot
}

// release gives up a slot that nobody finds or pins. It is the last that is done with it: a leaving one may lose its memory.
func (sh *shard) release(slot uint32) {
	if sh.out--; sh.closed && sh.out == 0 {
		close(sh.idle)
	}
	if slot >= sh.limit {
		sh.left()
		return
	}
	sh.refs[slot].Store(idling)
	sh.free.push(slot)
}

// install makes a reserved slot, which is not leaving, the content of a key, in place of what was there. The caller has filled it.
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
	sh.link(slot)
	sh.inserts++
}

// drop makes a key's content unknown to all.
func (sh *shard) drop(slot uint32) {
	sh.policy.remove(slot)
	sh.unlink(slot)
	sh.detach(slot)
}

// detach frees a slot that is in no table and queue, or leaves that to its last Release.
func (sh *shard) detach(slot uint32) {
	if sh.refs[slot].Add(detached) == detached {
		sh.release(slot)
	}
}
