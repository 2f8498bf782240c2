package writeback

import (
	"math/rand/v2"
	"testing"

	"forebay/cachecore"
)

// shown is what an index says of each byte: the record that has it, and where in that, or that it reads as a zero.
type shown struct {
	seq  cachecore.Seq
	skip int64
	zero bool
}

// An index says of each byte what the last record did that was entered for it, and how many it has data of.
func TestTheIndexIsAsAMapOfBytes(t *testing.T) {
	const size, records = 8 * blk, 60
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		x, want := newIndex(), make([]shown, size)
		at := int64(0) // where a sequential writer goes on
		for seq := cachecore.Seq(1); seq <= records; seq++ {
			off, n := rnd.Int64N(size), 1+rnd.Int64N(2*blk)
			switch rnd.IntN(8) {
			case 0, 1, 2:
				off, n = at, 512
				at = (at + n) % size
			case 3, 4:
				off, n = off/blk*blk, blk
			case 5:
				n = min(n, size-off)
				x.zero(off, n, false)
				for i := off; i < off+n; i++ {
					want[i] = shown{zero: true}
				}
				continue
			}
			n = min(n, size-off)
			x.put(off, n, seq)
			for i := range n {
				want[off+i] = shown{seq: seq, skip: i}
			}
		}
		x.compare(t, seed, want)
	}
}

func (x *index) compare(t *testing.T, seed uint64, want []shown) {
	t.Helper()
	have, data := make([]shown, len(want)), int64(0)
	x.each(0, int64(len(want)), func(p piece) {
		for i := range p.n {
			have[p.off+i] = shown{p.seq, p.skip + i, p.zero}
			if p.zero {
				have[p.off+i] = shown{zero: true}
			}
		}
	})
	for i, w := range want {
		if have[i] != w {
			t.Fatalf("seed %d, byte %d: %+v, not %+v", seed, i, have[i], w)
		}
		if w.seq != 0 {
			data++
		}
	}
	if x.bytes != data {
		t.Fatalf("seed %d: %d bytes are counted, %d are there", seed, x.bytes, data)
	}
}

// A whole block takes the place of its parts, and the other way round.
func TestBlocksAndTheirPartsReplaceEachOther(t *testing.T) {
	x := newIndex()
	x.put(512, 512, 1)
	x.put(1024, 512, 2)
	x.put(0, blk, 3)
	x.put(0, blk, 4)
	if len(x.parts) != 0 || len(x.whole) != 1 || x.bytes != blk {
		t.Errorf("%d blocks in parts, %d whole, %d bytes", len(x.parts), len(x.whole), x.bytes)
	}
	x.put(0, 512, 5)
	if len(x.parts) != 1 || len(x.whole) != 0 || x.bytes != blk {
		t.Errorf("%d blocks in parts, %d whole, %d bytes", len(x.parts), len(x.whole), x.bytes)
	}
}

func BenchmarkIndexPut(b *testing.B) {
	for name, n := range map[string]int64{"4KiB": blk, "512": 512} {
		b.Run(name, func(b *testing.B) {
			x := newIndex()
			for i := range int64(b.N) {
				if i%65536 == 0 {
					x = newIndex()
				}
				off := i % 65536 * n
				if n == blk {
					off = i * 7919 % 65536 * n
				}
				x.put(off, n, cachecore.Seq(i))
			}
		})
	}
}
