package writeback

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// Spans are as a map of bytes, in order, and joined where they are alike, whatever is put over what.
func TestSpansAreAsAMapOfBytes(t *testing.T) {
	const size = 40
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var s spans
		var want [size]byte
		for range 30 {
			from := rnd.IntN(size)
			n := span{int64(from), int64(from + 1 + rnd.IntN(size-from)), rnd.IntN(2) == 0}
			for i := n.from; i < n.to; i++ {
				want[i] = 'z'
				if n.unmap {
					want[i] = 'u'
				}
			}
			s = s.add(n)
			if list := alike(want[:]); !slices.Equal(s, list) {
				t.Fatalf("seed %d: %v, want %v", seed, s, list)
			}
		}
	}
}

// alike are the longest stretches of the same.
func alike(bytes []byte) (list spans) {
	for i, b := range bytes {
		switch last := len(list) - 1; {
		case b == 0:
		case i > 0 && bytes[i-1] == b:
			list[last].to++
		default:
			list = append(list, span{int64(i), int64(i + 1), b == 'u'})
		}
	}
	return list
}

// A file system that gives thousands of small extents back at once (fstrim) enters each without going through all the others.
func TestManySpansAreNotGoneThroughForEach(t *testing.T) {
	const many = 4000
	var before, after runtime.MemStats
	x := newIndex()
	runtime.ReadMemStats(&before)
	for i := range int64(many) {
		x.zero(2*i*blk, blk, true)
	}
	runtime.ReadMemStats(&after)
	if len(x.bare) != many {
		t.Fatalf("%d spans", len(x.bare))
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 16*mib {
		t.Errorf("%d spans take %d MiB on the way", many, took/mib)
	}
}
