package ram

import (
	"unsafe"

	"forebay/cachecore"
)

// Stats is what a store holds and has done; the counters are of blocks, since the start.
type Stats struct {
	Bytes, UsedBytes, PinnedBytes int64
	IndexBytes                    int64
	Hits, Misses                  uint64
	Inserts, Evictions            uint64
	Refused                       uint64 // not cached, because too much was pinned
}

// Stats adds the shards up, one after the other.
func (s *Store) Stats() Stats {
	st := Stats{Bytes: int64(s.slots) * int64(len(s.shards)) * cachecore.BlockSize, IndexBytes: s.indexBytes()}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		st.UsedBytes += int64(sh.cached) * cachecore.BlockSize
		st.Hits += sh.hits
		st.Misses += sh.misses
		st.Inserts += sh.inserts
		st.Evictions += sh.evictions
		st.Refused += sh.refused
		sh.mu.Unlock()
		st.PinnedBytes += sh.pinned.Load() * cachecore.BlockSize
	}
	return st
}

// indexBytes is all that the store has allocated beside the memory of its blocks.
func (s *Store) indexBytes() int64 {
	total := int64(unsafe.Sizeof(*s)) + int64(len(s.shards))*int64(unsafe.Sizeof(shard{}))
	for i := range s.shards {
		sh := &s.shards[i]
		total += int64(8*cap(sh.keys) + 4*(cap(sh.next)+cap(sh.prev)+cap(sh.chain)+cap(sh.buckets)+cap(sh.meta)+cap(sh.refs)))
		if p, ok := sh.policy.(*s3fifo); ok {
			total += int64(unsafe.Sizeof(*p)) + 4*int64(cap(p.ghosts.entries))
		}
	}
	return total
}
