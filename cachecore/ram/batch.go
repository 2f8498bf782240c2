package ram

import "forebay/cachecore"

// Batch is content on its way into the store: reserved slots for blocks of one run, which the holder fills and then publishes or abandons,
// once. It is one goroutine's.
type Batch struct {
	store *Store
	sh    *shard
	first key
	n     int
	slots [RunBlocks]uint32 // of the shard; none: there was no slot to have
}

// Prepare reserves slots for n blocks from first on, of one run. Where the store has no room (too much is pinned) there is none. It may
// evict others. A Batch of what can't be cached has no slots at all.
func (s *Store) Prepare(obj cachecore.ObjectID, first cachecore.Block, n int) Batch {
	k, ok := keyOf(obj, first, uint64(n))
	if !ok || n <= 0 || n > k.inRun() {
		return Batch{}
	}
	b := Batch{store: s, sh: s.shardOf(k), first: k, n: n}
	b.sh.mu.Lock()
	defer b.sh.mu.Unlock()
	for i := range n {
		b.slots[i] = b.sh.reserve()
	}
	return b
}

// Bytes is the slot of the i-th block, to be filled whole before Publish; nil if it has none.
func (b *Batch) Bytes(i int) []byte {
	if i >= b.n || b.slots[i] == none {
		return nil
	}
	return b.store.bytes(b.sh.base+b.slots[i], 1)
}

// Publish makes the new content what is found, in place of what was there. A block without a slot, or whose slot is leaving, is dropped: what was there
// is old.
func (b *Batch) Publish() {
	if b.n == 0 {
		return
	}
	b.sh.mu.Lock()
	defer b.sh.mu.Unlock()
	for i, slot := range b.slots[:b.n] {
		k := b.first + key(i)
		switch {
		case slot != none && slot < b.sh.limit && !b.sh.closed:
			b.sh.install(k, slot)
			continue
		case slot != none:
			b.sh.release(slot)
		}
		if old := b.sh.find(k); old != none {
			b.sh.drop(old)
		}
	}
	b.n = 0
}

// Abandon gives the slots back and changes nothing.
func (b *Batch) Abandon() {
	if b.n == 0 {
		return
	}
	b.sh.mu.Lock()
	defer b.sh.mu.Unlock()
	for _, slot := range b.slots[:b.n] {
		if slot != none {
			b.sh.release(slot)
		}
	}
	b.n = 0
}
