package iscsi

import (
	"cmp"
	"slices"
)

// span is a range of the medium in bytes, without to.
type span struct{ from, to int64 }

// spans are apart from each other, in order of address.
type spans []span

// add adds a range and returns what of it was not there.
func (s *spans) add(from, to int64) (fresh []span) {
	first, _ := slices.BinarySearchFunc(*s, from, func(x span, from int64) int { return cmp.Compare(x.to, from) })
	whole, at, end := span{from, to}, from, first
	for ; end < len(*s) && (*s)[end].from <= to; end++ {
		x := (*s)[end]
		if at < x.from {
			fresh = append(fresh, span{at, x.from})
		}
		at = max(at, x.to)
		whole = span{min(whole.from, x.from), max(whole.to, x.to)}
	}
	if at < to {
		fresh = append(fresh, span{at, to})
	}
	*s = slices.Replace(*s, first, end, whole)
	return fresh
}
