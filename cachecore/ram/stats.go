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
	st := Stats{Bytes: s.size.Load(), IndexBytes: s.indexBytes()}
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

// indexBytes is what the store needs beside the memory of its blocks.
func (s *Store) indexBytes() int64 {
	total := int64(unsafe.Sizeof(*s)) + int64(len(s.shards))*int64(unsafe.Sizeof(shard{}))
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		total += entryBytes * int64(sh.backed)
		if p, ok := sh.policy.(*s3fifo); ok {
			total += int64(unsafe.Sizeof(*p)) + 4*int64(cap(p.ghosts.entries))
		}
		sh.mu.Unlock()
	}
	return total
}
