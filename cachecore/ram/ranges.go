package ram

import "forebay/cachecore"

// Extent is a range of blocks.
type Extent struct {
	First cachecore.Block
	N     int
}

// Absent appends to list the parts of a range that the store doesn't have, in order, none longer than longest blocks.
func (s *Store) Absent(list []Extent, obj cachecore.ObjectID, first cachecore.Block, n, longest int) []Extent {
	k, ok := keyOf(obj, first, uint64(n))
	if !ok {
		return appendAbsent(list, first, n, longest)
	}
	s.eachRun(k, uint64(n), func(sh *shard, k key, n int) {
		for i := range n {
			if sh.visible(k+key(i)) == none {
				list = appendAbsent(list, (k + key(i)).block(), 1, longest)
				sh.misses++
			}
		}
	})
	return list
}

func appendAbsent(list []Extent, first cachecore.Block, n, longest int) []Extent {
	for n > 0 {
		last := len(list) - 1
		if last < 0 || list[last].First+cachecore.Block(list[last].N) != first || list[last].N == longest {
			list = append(list, Extent{First: first})
			last++
		}
		take := min(n, longest-list[last].N)
		list[last].N += take
		first += cachecore.Block(take)
		n -= take
	}
	return list
}

// Hide makes cached blocks of a range invisible until new content of them is published, or they are dropped.
func (s *Store) Hide(obj cachecore.ObjectID, first cachecore.Block, n uint64) {
	s.each(obj, first, n, func(sh *shard, slot uint32) { sh.meta[slot] |= hidden })
}

// Drop forgets the cached blocks of a range.
func (s *Store) Drop(obj cachecore.ObjectID, first cachecore.Block, n uint64) {
	s.each(obj, first, n, (*shard).drop)
}

// DropObject forgets all of an object.
func (s *Store) DropObject(obj cachecore.ObjectID) { s.Drop(obj, 0, 1<<blockBits) }

// each calls f for every cached block of a range, the shard being locked. A range larger than the store is cheaper to find from the slots.
func (s *Store) each(obj cachecore.ObjectID, first cachecore.Block, n uint64, f func(*shard, uint32)) {
	n = min(n, 1<<blockBits-min(1<<blockBits, uint64(first)))
	k, ok := keyOf(obj, first, n)
	if !ok || n == 0 {
		return
	}
	if n > uint64(s.size.Load())/cachecore.BlockSize {
		for i := range s.shards {
			s.shards[i].eachWithin(k, n, f)
		}
		return
	}
	s.eachRun(k, n, func(sh *shard, k key, n int) {
		for i := range n {
			if slot := sh.find(k + key(i)); slot != none {
				f(sh, slot)
			}
		}
	})
}

func (s *Store) eachRun(k key, n uint64, f func(sh *shard, k key, n int)) {
	for n > 0 {
		part := min(n, uint64(k.inRun()))
		sh := s.shardOf(k)
		sh.mu.Lock()
		f(sh, k, int(part))
		sh.mu.Unlock()
		k, n = k+key(part), n-part
	}
}

// eachWithin goes through the slots in pieces, so that hits don't wait for all of it. A block has the same slot until new content of it is published,
// whatever becomes of the shard's size meanwhile: none is missed.
func (sh *shard) eachWithin(k key, n uint64, f func(*shard, uint32)) {
	const piece = 4096
	for from, more := 0, true; more; from += piece {
		sh.mu.Lock()
		for slot := from; slot < min(from+piece, int(sh.backed)); slot++ {
			if at := key(sh.keys[slot]); at >= k && uint64(at-k) < n && sh.holds(uint32(slot)) {
				f(sh, uint32(slot))
			}
		}
		more = from+piece < int(sh.backed)
		sh.letOthers()
	}
}
