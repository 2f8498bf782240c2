package flash

import "unsafe"

// The index has room for 13.5 words for each line of the device: a line that was written whole takes 13. Lines that were written in parts take
// more, and then the oldest regions go before their time. With the buckets and what is remembered of the missed it is 62 bytes a line, out
// of 64 that it may have (2 GiB per TiB).
const (
	halfWordsPer  = 27 // words, in halves
	linesPerGhost = 2
	shardChunks   = 16 << maxChunkShift // words of a shard, at least, where there are several
)

func (s *Store) linesIn(slots uint32) int {
	return int(uint64(slots) * uint64(s.layout.regionBlocks) / lineBlocks)
}

// indexFor makes the index of that many regions.
func (s *Store) indexFor(slots uint32) {
	lines := s.linesIn(slots)
	words, n := lines*halfWordsPer/2, 1
	for n < maxShards && words/(2*n) >= shardChunks {
		n *= 2
	}
	s.arena.init(words, n)
	s.objects.init(lines)
	s.shards = make([]shard, n)
	for i := range s.shards {
		s.shards[i].init(&s.arena, mix(s.seed+uint64(i)), lines/n, lines/n/linesPerGhost)
	}
}

// growIndex makes it fit more regions. What is remembered of the missed stays as it is.
func (s *Store) growIndex(slots uint32) {
	lines := s.linesIn(slots)
	if more := lines*halfWordsPer/2*4 - int(s.arena.bytes()); more > 0 {
		s.arena.grow(more / 4)
	}
	s.objects.grow(lines)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		if n := lines / len(s.shards); n > len(sh.buckets) {
			sh.rehash(n)
		}
		sh.mu.Unlock()
	}
}

const markBytes = 80 // of one in a shard's map

// indexBytes is all that is in memory for what is on the device, buffers aside.
func (s *Store) indexBytes() int64 {
	regions := len(*s.regions.Load())
	total := int64(unsafe.Sizeof(*s)) + int64(regions)*int64(unsafe.Sizeof(region{})+unsafe.Sizeof(&region{})+8)
	total += s.arena.bytes() + s.objects.bytes()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		total += int64(unsafe.Sizeof(*sh)) + 4*int64(cap(sh.buckets)+cap(sh.ghost.entries)) + markBytes*int64(len(sh.marks))
		sh.mu.Unlock()
	}
	return total
}
