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
	Brought          uint64 // of those: they were hot elsewhere (PrepareHot)
	Reinserted       uint64 // written again, since they were read
	RefusedBudget    uint64 // not admitted: the day's bytes are spent
	RefusedReserve   uint64 // not brought: what is left of the day's bytes is for what is wanted here
	RefusedBusy      uint64 // the device doesn't keep up
	RefusedIndex     uint64 // the index is full, or has no room for the object
	WrittenBytes     uint64
	BytesPerDay      int64 // that may be written; 0: no limit
	Failed           bool
}

type counters struct {
	hits, misses, mismatches, admitted, brought, reinserted, written atomic.Uint64

	refusedBudget, refusedReserve, refusedBusy, refusedIndex atomic.Uint64
}

func (c *counters) admit(n uint32, from origin) {
	c.admitted.Add(uint64(n))
	if from == brought {
		c.brought.Add(uint64(n))
	}
}

// unaffordable counts what the budget refuses.
func (c *counters) unaffordable(n uint32, from origin) {
	if from == brought { // and will be again, soon
		c.refusedReserve.Add(uint64(n))
	} else {
		c.refusedBudget.Add(uint64(n))
	}
}

// Stats adds the shards up, one after the other.
func (s *Store) Stats() Stats {
	c := &s.count
	st := Stats{
		IndexBytes: s.indexBytes(), Objects: s.objects.count(), Failed: s.health.reason() != nil,
		Hits: c.hits.Load(), Misses: c.misses.Load(), Mismatches: c.mismatches.Load(), Admitted: c.admitted.Load(), Brought: c.brought.Load(),
		Reinserted: c.reinserted.Load(), WrittenBytes: c.written.Load(),
		RefusedBudget: c.refusedBudget.Load(), RefusedReserve: c.refusedReserve.Load(), RefusedBusy: c.refusedBusy.Load(), RefusedIndex: c.refusedIndex.Load(),
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
	st.BytesPerDay = s.fill.budget.perDay
	st.Regions, st.Free = int(s.fill.limit), len(s.fill.free)
	st.Bytes = int64(s.fill.limit) * int64(s.layout.dataBlocks()) * blockSize
	if s.health.down.Load() {
		st.UsedBytes = 0
	}
	return st
}
