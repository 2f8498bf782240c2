package volume

import (
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/ram"
)

// runs is the table of stripes (PROTOCOL G1). Runs whose numbers are equal modulo its size share one, which costs a fill now and then.
type runs struct{ table []stripe }

func newRuns(stripes int) runs { return runs{make([]stripe, stripes)} }

type stripe struct {
	mu         sync.Mutex
	generation uint64 // raised when a write, discard or drop begins and when it ends
	writers    int    // such that are under way
}

const (
	stripes = 1024
	all     = ^uint64(0) // blocks: the whole object
)

func (r *runs) of(b cachecore.Block) *stripe {
	return &r.table[uint64(b)/ram.RunBlocks%uint64(len(r.table))]
}

// each calls f once for every stripe of a range, locked.
func (r *runs) each(first cachecore.Block, n uint64, f func(*stripe)) {
	from := uint64(first) / ram.RunBlocks
	count := uint64(len(r.table))
	if n < ram.RunBlocks*count {
		count = min(count, (uint64(first)+n-1)/ram.RunBlocks-from+1)
	}
	for run := from; run < from+count; run++ {
		s := &r.table[run%uint64(len(r.table))]
		s.mu.Lock()
		f(s)
		s.mu.Unlock()
	}
}

// begin enters a writer of a range; end takes it out.
func (r *runs) begin(first cachecore.Block, n uint64) {
	r.each(first, n, func(s *stripe) { s.generation++; s.writers++ })
}

func (r *runs) end(first cachecore.Block, n uint64) {
	r.each(first, n, func(s *stripe) { s.generation++; s.writers-- })
}

// sample is the generations of the runs of a fill, in order.
type sample [maxFill/ram.RunBlocks + 1]uint64

// sample takes the generations of a range; false if something is being written there.
func (r *runs) sample(first cachecore.Block, n int) (s sample, quiet bool) {
	i, quiet := 0, true
	r.each(first, uint64(n), func(st *stripe) {
		s[i] = st.generation
		i++
		quiet = quiet && st.writers == 0
	})
	return s, quiet
}

// stands says whether nothing has been written in a range since a sample was taken. It may change right after.
func (r *runs) stands(first cachecore.Block, n int, s *sample) bool {
	i, same := 0, true
	r.each(first, uint64(n), func(st *stripe) {
		same = same && st.quietSince(s[i])
		i++
	})
	return same
}

// quietSince is with the stripe locked.
func (s *stripe) quietSince(generation uint64) bool {
	return s.writers == 0 && s.generation == generation
}
