package volume

import (
	"sync"

	"forebay/cachecore"
)

// streams recognises sequential readers: those whose reads go on where earlier ones ended, give or take what concurrency shuffles. It is told
// of reads that miss only. Its lock is a leaf.
type streams struct {
	threshold int64 // bytes; negative: nothing is too long
	mu        struct {
		sync.Mutex
		known [32]stream
		turn  uint64 // reads
	}
}

// window is how far from its stream's head a read may begin, before or behind, in blocks: 1 MiB.
const window = 256

// stream is one sequential reader. What lies before its first read counts as not read yet: that one needn't have been the first to be sent.
type stream struct {
	end    int64               // in bytes: of the furthest read
	head   cachecore.Block     // behind the last block of that
	read   [window / 64]uint64 // which of the window blocks before head were read, by their number modulo window
	length int64               // blocks read, none twice
	expiry uint64              // the turn from which on it is the first to go; 0: no stream
}

// A stream is remembered for that many reads of others for each of its blocks, up to the most. A short one is given up the sooner: else a
// handful of random readers would make us forget every stream between two of its reads.
const (
	patience     = 8
	mostPatience = 4096
)

// bypasses notes a read and says whether it belongs to a stream that has become too long to be admitted. What its stream has read a moment
// ago does not: it is wanted again.
func (s *streams) bypasses(off int64, n int) bool {
	if s.threshold < 0 {
		return false
	}
	first, blocks := blocksOf(off, int64(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.turn++
	st := s.find(first, first+cachecore.Block(blocks), off+int64(n))
	st.add(first, first+cachecore.Block(blocks))
	st.end = max(st.end, off+int64(n))
	st.expiry = s.mu.turn + uint64(min(st.length*patience, mostPatience))
	return st.length*cachecore.BlockSize > s.threshold
}

// find returns the longest stream that a read goes on with, or a new one in place of the one that expires first. The longest, because a
// straggler that had to begin a stream of its own must not divert what follows.
func (s *streams) find(first, end cachecore.Block, endByte int64) *stream {
	var found *stream
	victim := &s.mu.known[0]
	for i := range s.mu.known {
		st := &s.mu.known[i]
		if (found == nil || st.length > found.length) && st.goesOn(first, end, endByte) {
			found = st
		}
		if st.expiry < victim.expiry {
			victim = st
		}
	}
	if found == nil {
		*victim = stream{head: first}
		found = victim
	}
	return found
}

// goesOn says whether a read is in the stream's window and brings anything new.
func (st *stream) goesOn(first, end cachecore.Block, endByte int64) bool {
	if st.expiry == 0 || first > st.head+window || first+window < st.head {
		return false
	}
	if endByte > st.end { // of the same block, perhaps
		return true
	}
	for b := first; b < end; b++ {
		if !st.has(b) {
			return true
		}
	}
	return false
}

// add marks the blocks of a read, which begins in the window, and counts those that were not read before.
func (st *stream) add(first, end cachecore.Block) {
	for ; st.head < first; st.head++ {
		word, bit := place(st.head)
		st.read[word] &^= bit
	}
	for b := first; b < end; b++ {
		if b < st.head && st.has(b) {
			continue
		}
		word, bit := place(b)
		st.read[word] |= bit
		st.head = max(st.head, b+1)
		st.length++
	}
}

// has is for blocks of the window before head.
func (st *stream) has(b cachecore.Block) bool {
	word, bit := place(b)
	return st.read[word]&bit != 0
}

func place(b cachecore.Block) (word int, bit uint64) { return int(b % window / 64), 1 << (b % 64) }
