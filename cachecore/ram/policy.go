package ram

// policy decides what a full shard gives up. It keeps every cached slot in queues of its own; the shard's lock is held in every call.
// S3-FIFO is what runs; LRU stands in the tests, to be compared with.
type policy interface {
	// admit takes up a slot whose key (with that hash) has just been published.
	admit(slot, hash uint32)
	// touch notes a read or write of a cached slot, and sets again of one that was used before.
	touch(slot uint32)
	// replace gives slot the place of old, whose block has new content, of which nothing was read again.
	replace(old, slot uint32)
	// remove forgets a slot.
	remove(slot uint32)
	// victim forgets a slot without pins and returns it, or none if a bounded search found all pinned.
	victim() uint32
	// pass says that some time has passed: touches from now on are of other uses than those before.
	pass()
	// fit makes it one for that many slots. It is called without the lock, and what it returns with it.
	fit(slots int) func()
}

// links are the neighbours of every slot of a shard; each slot is in one queue, or in the free list.
type links struct{ next, prev []uint32 }

// queue is a list of slots from the oldest to the newest.
type queue struct {
	*links
	oldest, newest uint32
	n              int
}

func newQueue(l *links) queue { return queue{links: l, oldest: none, newest: none} }

func (q *queue) push(slot uint32) {
	q.next[slot], q.prev[slot] = none, q.newest
	if q.newest != none {
		q.next[q.newest] = slot
	} else {
		q.oldest = slot
	}
	q.newest = slot
	q.n++
}

func (q *queue) remove(slot uint32) {
	next, prev := q.next[slot], q.prev[slot]
	if next != none {
		q.prev[next] = prev
	} else {
		q.newest = prev
	}
	if prev != none {
		q.next[prev] = next
	} else {
		q.oldest = next
	}
	q.n--
}

func (q *queue) replace(old, slot uint32) {
	next, prev := q.next[old], q.prev[old]
	q.next[slot], q.prev[slot] = next, prev
	if next != none {
		q.prev[next] = slot
	} else {
		q.newest = slot
	}
	if prev != none {
		q.next[prev] = slot
	} else {
		q.oldest = slot
	}
}

// The patience of a search for a victim, so that no lock is held for long.
const (
	maxPinned  = 64  // pinned slots passed over
	maxSpared  = 512 // slots spared because they were touched
	maxLeaving = 8   // victims that make no room, as their slots are leaving
)
