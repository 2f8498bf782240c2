package writeback

import (
	"maps"
	"slices"

	"forebay/cachecore"
)

// index says where the log has the newest content of a range: the dirty content of one interval. Its user locks it.
type index struct {
	whole map[cachecore.Block]extent   // blocks that lie in one extent
	parts map[cachecore.Block][]extent // of others, in order, disjoint
	bare  spans                        // what reads as zeros where there is no extent
	tails tails                        // of objects: so does this
	bytes int64                        // of data, where it is counted once
}

// extent is a part of a block with content of one record.
type extent struct {
	from, to uint16        // bytes of the block
	skip     uint32        // bytes of the record's data before it
	seq      cachecore.Seq // the record's
}

// piece is a part of a range that the index has content of.
type piece struct {
	off, n int64
	zero   bool
	seq    cachecore.Seq // of the record, whose data begin skip bytes before
	skip   int64
}

func newIndex() *index {
	return &index{whole: map[cachecore.Block]extent{}, parts: map[cachecore.Block][]extent{}}
}

func (x *index) empty() bool { return len(x.whole)+len(x.parts)+len(x.bare)+len(x.tails.of) == 0 }

// put enters a record's data.
func (x *index) put(off, n int64, seq cachecore.Seq) {
	for skip := int64(0); skip < n; {
		b := cachecore.Block((off + skip) / cachecore.BlockSize)
		from := (off + skip) % cachecore.BlockSize
		to := min(cachecore.BlockSize, from+n-skip)
		x.enter(b, extent{uint16(from), uint16(to), uint32(skip), seq})
		skip += to - from
	}
}

func (x *index) enter(b cachecore.Block, e extent) {
	if e.to-e.from == cachecore.BlockSize {
		x.enterWhole(b, e)
		return
	}
	if list := x.parts[b]; len(list) > 0 && list[len(list)-1].to <= e.from { // as sequential writes come
		x.parts[b] = append(list, e)
		x.bytes += int64(e.to - e.from)
		return
	}
	list := append(cut(x.take(b), e.from, e.to), e)
	slices.SortFunc(list, func(a, b extent) int { return int(a.from) - int(b.from) })
	x.keep(b, list)
}

// enterWhole is enter of a whole block, with as few looks into the maps as there may be: it comes with every write.
func (x *index) enterWhole(b cachecore.Block, e extent) {
	if len(x.parts) > 0 && x.parts[b] != nil {
		x.take(b)
	}
	had := len(x.whole)
	if x.whole[b] = e; len(x.whole) > had {
		x.bytes += cachecore.BlockSize
	}
}

// take removes a block's extents and returns them.
func (x *index) take(b cachecore.Block) []extent {
	list := x.parts[b]
	if e, ok := x.whole[b]; ok {
		list = []extent{e}
	}
	for _, e := range list {
		x.bytes -= int64(e.to - e.from)
	}
	delete(x.whole, b)
	delete(x.parts, b)
	return list
}

func (x *index) keep(b cachecore.Block, list []extent) {
	if len(list) == 0 {
		return
	}
	x.parts[b] = list
	for _, e := range list {
		x.bytes += int64(e.to - e.from)
	}
}

// cut takes a range of a block out of extents.
func cut(list []extent, from, to uint16) []extent {
	var left []extent
	for _, e := range list {
		if e.from < from {
			left = append(left, extent{e.from, min(e.to, from), e.skip, e.seq})
		}
		if e.to > to {
			start := max(e.from, to)
			left = append(left, extent{start, e.to, e.skip + uint32(start-e.from), e.seq})
		}
	}
	return left
}

// zero enters that a range reads as zeros; unmap, that its space is given back.
func (x *index) zero(off, n int64, unmap bool) {
	x.cutOut(off, n)
	x.bare = x.bare.add(span{off, off + n, unmap})
}

// cutOut takes a range out of the extents.
func (x *index) cutOut(off, n int64) {
	if n == 0 {
		return
	}
	first, last := cachecore.Block(off/cachecore.BlockSize), cachecore.Block((off+n-1)/cachecore.BlockSize)
	for _, b := range x.within(first, last) {
		start := int64(b) * cachecore.BlockSize
		from, to := max(off, start)-start, min(off+n, start+cachecore.BlockSize)-start
		x.keep(b, cut(x.take(b), uint16(from), uint16(to)))
	}
}

// gap calls f for what of a range without extents reads as zeros.
func (x *index) gap(from, to int64, f func(piece)) {
	x.bare.each(from, to, f)
	x.tails.each(from, to, f)
}

// within lists the blocks of a range that have extents, in no order.
func (x *index) within(first, last cachecore.Block) []cachecore.Block {
	var list []cachecore.Block
	if uint64(last-first) < uint64(len(x.whole)+len(x.parts)) {
		for b := first; b <= last; b++ {
			if _, ok := x.whole[b]; ok || x.parts[b] != nil {
				list = append(list, b)
			}
		}
		return list
	}
	for b := range x.whole {
		if first <= b && b <= last {
			list = append(list, b)
		}
	}
	for b := range x.parts {
		if first <= b && b <= last {
			list = append(list, b)
		}
	}
	return list
}

// blocks lists the blocks that have extents, in order.
func (x *index) blocks() []cachecore.Block {
	list := slices.AppendSeq(make([]cachecore.Block, 0, len(x.whole)+len(x.parts)), maps.Keys(x.whole))
	list = slices.AppendSeq(list, maps.Keys(x.parts))
	slices.Sort(list)
	return list
}

// of returns a block's extents. The slice is the index's.
func (x *index) of(b cachecore.Block, one *[1]extent) []extent {
	if e, ok := x.whole[b]; ok {
		one[0] = e
		return one[:]
	}
	return x.parts[b]
}

// each calls f for what the index has of a range, in order of address; what lies between is not in it.
func (x *index) each(off, n int64, f func(piece)) {
	end := off + n
	for off < end {
		b := cachecore.Block(off / cachecore.BlockSize)
		start := int64(b) * cachecore.BlockSize
		stop := min(end, start+cachecore.BlockSize)
		var one [1]extent
		for _, e := range x.of(b, &one) {
			from, to := max(off, start+int64(e.from)), min(stop, start+int64(e.to))
			if from >= to {
				continue
			}
			x.gap(off, from, f)
			f(piece{off: from, n: to - from, seq: e.seq, skip: int64(e.skip) + from - start - int64(e.from)})
			off = to
		}
		x.gap(off, stop, f)
		off = stop
	}
}
