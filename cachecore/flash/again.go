package flash

import (
	"slices"

	"forebay/cachecore/device"
)

// hot is a piece of the oldest region that was read since it was written.
type hot struct {
	placed
	heat int
}

// keepHot writes the pieces of a region that were read since into the one being filled, the hottest first, as far as there is room.
func (s *Store) keepHot(slot uint32) error {
	var list []hot
	for i := range s.shards {
		list = s.shards[i].hotIn(list, s.layout, slot)
	}
	slices.SortStableFunc(list, func(a, b hot) int { return b.heat - a.heat })
	buf, left := device.Buffer(lineBytes), max(lineBlocks, int(s.layout.dataBlocks())/2)
	for _, h := range list {
		n, err := s.writeAgain(h.placed, buf, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// hotIn appends the touched pieces of the region at the tail. Nobody but the reclaim moves the tail.
func (sh *shard) hotIn(list []hot, l layout, slot uint32) []hot {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for at := sh.tail; at.chunk != none && sh.settle(&at); {
		id := at.chunk + at.at
		p := sh.piece(id)
		if !p.is(dead) && l.slotOf(p[atBlock]) != slot {
			break
		}
		if p.valid() != 0 && p.heat() > 0 {
			list = append(list, hot{placed{sh, id}, p.heat()})
		}
		at.at += uint32(len(p))
	}
	return list
}

// writeAgain copies a piece into the region being filled, if it is at most so many blocks, and returns how many it was. What is invalidated
// meanwhile is not in the copy.
func (s *Store) writeAgain(from placed, buf []byte, most int) (int, error) {
	c, object, ok := from.sh.entry(from.id)
	n := popcount(c.valid)
	if !ok || n > most {
		return 0, nil
	}
	buf = buf[:popcount(c.written)*blockSize]
	if err := s.dev.ReadAt(buf, offset(c.block)); err != nil {
		return 0, err
	}
	room, ok := s.fill.reserve(from.sh, object, c.line, c.valid, rewritten)
	if !ok {
		return 0, nil
	}
	defer s.fill.done(room.b)
	sums, good := c.copyTo(func(i int) []byte { return room.b.buf.block(room.at + uint32(i)) }, buf)
	if good != c.valid {
		s.count.mismatches.Add(uint64(popcount(c.valid &^ good)))
		s.distrust(from.sh, object, c.line)
		good = 0
	}
	room.publish(sums, good, from.id)
	s.count.reinserted.Add(uint64(popcount(good)))
	return n, nil
}

// copyTo copies the valid blocks of a piece, whose written ones are in from, and says which of them are what was written.
func (c *copied) copyTo(to func(i int) []byte, from []byte) (sums [lineBlocks]uint32, good blocks) {
	n := 0
	for i := range lineBlocks {
		if c.written>>i&1 == 0 {
			continue
		}
		p, sum := from[:blockSize], c.sums[0]
		from, c.sums = from[blockSize:], [lineBlocks]uint32(append(c.sums[1:], 0))
		if c.valid>>i&1 == 0 {
			continue
		}
		sums[n] = sum
		copy(to(n), p)
		if checksum(p) == sum {
			good |= 1 << i
		}
		n++
	}
	return sums, good
}
