package flash

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// arena is the words that the index is made of, in chunks that shards take and give back. Words are named by number, so there is no
// pointer among them. What a shard has taken is guarded by its lock; mu is a leaf.
type arena struct {
	segments   atomic.Pointer[[][]uint32] // replaced when it grows
	segShift   uint                       // a segment spans that many words of the numbering, though it may be shorter
	chunkShift uint

	mu    sync.Mutex
	back  uint32 // chunks that were given back: a list through their first words
	fresh []span // chunks that were never taken, and so cost no memory yet
	spare int    // chunks of both
	total int
}

type span struct{ from, to uint32 } // words

const (
	maxSegShift   = 24
	maxChunkShift = 10
	minChunkShift = 6
	chunksPer     = 16 // a shard should have at least so many
)

// init makes an arena of at least that many words, for that many shards.
func (a *arena) init(words, shards int) {
	a.back = none
	a.chunkShift = uint(max(minChunkShift, min(maxChunkShift, bits.Len(uint(words/(shards*chunksPer)))-1)))
	a.segShift = uint(max(int(a.chunkShift), min(maxSegShift, bits.Len(uint(words)))))
	a.segments.Store(&[][]uint32{})
	a.grow(words)
}

// grow adds words.
func (a *arena) grow(words int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	segments := append([][]uint32(nil), *a.segments.Load()...)
	chunk := 1 << a.chunkShift
	for words = (words + chunk - 1) &^ (chunk - 1); words > 0 && len(segments) < 1<<(32-a.segShift)-1; {
		n := min(words, 1<<a.segShift)
		from := uint32(len(segments)) << a.segShift
		segments = append(segments, make([]uint32, n))
		a.fresh = append(a.fresh, span{from, from + uint32(n)})
		a.spare += n >> a.chunkShift
		a.total += n >> a.chunkShift
		words -= n
	}
	a.segments.Store(&segments)
}

// from is the words from one on, to the end of its segment.
func (a *arena) from(word uint32) []uint32 {
	return (*a.segments.Load())[word>>a.segShift][word&(1<<a.segShift-1):]
}

func (a *arena) chunkWords() uint32 { return 1 << a.chunkShift }

// take gives a chunk, by its first word, or none.
func (a *arena) take() uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spare == 0 {
		return none
	}
	a.spare--
	if a.back != none {
		chunk := a.back
		a.back = a.from(chunk)[0]
		return chunk
	}
	s := &a.fresh[0]
	chunk := s.from
	if s.from += a.chunkWords(); s.from == s.to {
		a.fresh = a.fresh[1:]
	}
	return chunk
}

func (a *arena) give(chunk uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.from(chunk)[0] = a.back
	a.back = chunk
	a.spare++
}

// low says whether so little is left that the oldest pieces should go.
func (a *arena) low(shards int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.spare < min(2*shards, a.total/4)
}

func (a *arena) bytes() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int64(a.total) << a.chunkShift * 4
}
