package flash

import (
	"context"
	"fmt"
	"math/bits"

	"forebay/cachecore"
)

// Read copies those of n blocks from first on that are here into into, each to its place, and says which. What is in the places of the others
// is not to be used. It is at most MaxRead blocks. A block whose checksum is wrong isn't here, and its line is forgotten.
//
// It fails only with ctx, or for a range that can't be. A device that has failed has nothing.
func (o *Object) Read(ctx context.Context, first cachecore.Block, n int, into []byte) (Found, error) {
	if n < 0 || n > MaxRead || len(into) < n*blockSize {
		return Found{}, fmt.Errorf("read of %d blocks into %d bytes", n, len(into))
	}
	s := o.s
	if s.health.down.Load() || !s.enter() {
		return Found{}, nil
	}
	defer s.leave()
	var found Found
	list := o.locate(first, n, &found)
	err := s.fetchAll(ctx, list, into, &found)
	s.count.hits.Add(uint64(found.count()))
	s.count.misses.Add(uint64(n - found.count()))
	if err != nil {
		return Found{}, fmt.Errorf("read of %d blocks at %d: %w", n, first, err)
	}
	return found, nil
}

// Contains says which of n blocks from first on are here, MaxRead at most. It asks nothing of the device and counts as no use.
func (o *Object) Contains(first cachecore.Block, n int) Found {
	var found Found
	if o.s.health.down.Load() {
		return found
	}
	object := o.number()
	o.lines(first, min(n, MaxRead), func(sh *shard, line uint32, b blocks, at int) {
		sh.mu.Lock()
		held := sh.holds(object, line) & b
		sh.mu.Unlock()
		for i := range lineBlocks {
			if held>>i&1 != 0 {
				found.set(at + i)
			}
		}
	})
	return found
}

// lines calls f for each line of a range: which of its blocks are in it, and what place in the range the line's first block has, which is
// below 0 where the range begins within the line.
func (o *Object) lines(first cachecore.Block, n int, f func(sh *shard, line uint32, b blocks, at int)) {
	for at := 0; at < n; {
		line, i, ok := lineOf(first + cachecore.Block(at))
		if !ok {
			return
		}
		part := min(n-at, lineBlocks-i)
		f(o.shard(line), line, blocks((1<<part-1)<<i), at-i)
		at += part
	}
}

// transfer is blocks that follow each other in a request and in a region, which is pinned for them.
type transfer struct {
	object *Object
	first  cachecore.Block // of the object: that of the request
	at     int             // place in the request
	block  uint32          // of the device
	sums   []uint32        // one for each block
	region *region
	buf    *buffer // of the region, pinned in its place; nil: it is on the device
}

// locate finds and pins what there is of a range.
func (o *Object) locate(first cachecore.Block, n int, found *Found) []transfer {
	l := located{o: o, first: first, sums: make([]uint32, 0, max(0, n))}
	object := o.number()
	o.lines(first, n, func(sh *shard, line uint32, b blocks, at int) {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		for i := range lineBlocks {
			p := sh.with(object, line, b&(1<<i))
			if p == nil {
				continue
			}
			found.set(at + i)
			first := p.valid()&b&(1<<i-1) == 0 // of this piece
			if stored := l.add(p, i, at+i); stored && first {
				p.touch() // while it is in memory touches are of one use
			}
		}
	})
	return l.list
}

// located gathers transfers.
type located struct {
	o     *Object
	first cachecore.Block
	list  []transfer
	sums  []uint32 // never grows: the transfers' lists are parts of it
}

// add takes a block of a piece, whose shard is locked, and says whether it is on the device.
func (l *located) add(p piece, i, at int) bool {
	l.sums = append(l.sums, p.crc(i))
	if last := len(l.list) - 1; last >= 0 && l.list[last].precedes(at, p.block(i)) {
		t := &l.list[last]
		t.sums = l.sums[len(l.sums)-len(t.sums)-1:]
		return t.buf == nil
	}
	t := transfer{object: l.o, first: l.first, at: at, block: p.block(i), sums: l.sums[len(l.sums)-1:], region: l.o.s.regionOf(p.block(i))}
	t.buf = t.region.pin()
	l.list = append(l.list, t)
	return t.buf == nil
}

// with returns the piece that has a block of a line, or nil.
func (sh *shard) with(object, line uint32, b blocks) piece {
	if b == 0 {
		return nil
	}
	for id := *sh.bucket(object, line); id != 0; {
		p := sh.piece(id)
		if p.object() == object && p.line() == line && p.valid()&b != 0 {
			return p
		}
		id = p[atNext]
	}
	return nil
}

// precedes says whether a block comes next. Regions never touch each other: a footer is in between.
func (t *transfer) precedes(at int, block uint32) bool {
	n := len(t.sums)
	return t.at+n == at && t.block+uint32(n) == block
}

func (t *transfer) unpin() {
	if t.buf != nil {
		t.buf.release()
	} else {
		t.region.unpin()
	}
}

func (f *Found) count() int {
	n := 0
	for _, word := range f {
		n += bits.OnesCount64(word)
	}
	return n
}
