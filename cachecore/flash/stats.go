package flash

import "sync/atomic"

// Stats is what a store holds and has done since it was opened. Counts are of blocks, unless they say bytes.
type Stats struct {
	Bytes, UsedBytes int64 // UsedBytes: of valid blocks. Those of a dropped object count until their regions go
	IndexBytes       int64
	Regions, Free    int
	Objects          int
	Marks            int // extents that an unclean restart would drop
	Hits, Misses     uint64
	Mismatches       uint64 // found with a wrong checksum, and so missed
	Admitted         uint64
	Reinserted       uint64 // written again, since they were read
	RefusedBudget    uint64 // not admitted: the day's bytes are spent
	RefusedBusy      uint64 // the device doesn't keep up
	RefusedIndex     uint64 // the index is full, or has no room for the object
	WrittenBytes     uint64
	Failed           bool
}

type counters struct {
	hits, misses, mismatches, admitted, reinserted, written atomic.Uint64

	refusedBudget, refusedBusy, refusedIndex atomic.Uint64
}

// Stats adds the shards up, one after the other.
func (s *Store) Stats() Stats {
	c := &s.count
	st := Stats{
		IndexBytes: s.indexBytes(), Objects: s.objects.count(), Failed: s.health.reason() != nil,
		Hits: c.hits.Load(), Misses: c.misses.Load(), Mismatches: c.mismatches.Load(), Admitted: c.admitted.Load(),
		Reinserted: c.reinserted.Load(), WrittenBytes: c.written.Load(),
		RefusedBudget: c.refusedBudget.Load(), RefusedBusy: c.refusedBusy.Load(), RefusedIndex: c.refusedIndex.Load(),
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		st.UsedBytes += sh.valid * blockSize
		st.Marks += len(sh.marks)
		sh.mu.Unlock()
	}
	s.fill.mu.Lock()
	defer s.fill.mu.Unlock()
	st.Regions, st.Free = int(s.fill.limit), len(s.fill.free)
	st.Bytes = int64(s.fill.limit) * int64(s.layout.dataBlocks()) * blockSize
	if s.health.down.Load() {
		st.UsedBytes = 0
	}
	return st
}
