package writeback

import (
	"cmp"
	"slices"
)

// span is a range of bytes that reads as zeros.
type span struct {
	from, to int64
	unmap    bool // its space is given back
}

// spans are in order, and disjoint.
type spans []span

// add puts a span over what is there, joined to neighbours that are alike. Only what it meets is looked at: an interval may have very many.
func (s spans) add(n span) spans {
	first, _ := slices.BinarySearchFunc(s, n.from, func(x span, at int64) int { return cmp.Compare(x.to, at) })
	behind, _ := slices.BinarySearchFunc(s, n.to+1, func(x span, at int64) int { return cmp.Compare(x.from, at) })
	met := s[first:behind]
	var left, right []span
	if len(met) > 0 {
		switch old := met[0]; {
		case old.from >= n.from:
		case old.unmap == n.unmap:
			n.from = old.from
		default:
			left = []span{{old.from, min(old.to, n.from), old.unmap}}
		}
		switch old := met[len(met)-1]; {
		case old.to <= n.to:
		case old.unmap == n.unmap:
			n.to = old.to
		default:
			right = []span{{max(old.from, n.to), old.to, old.unmap}}
		}
	}
	return slices.Replace(s, first, behind, slices.Concat(left, spans{n}, right)...)
}

// each calls f for what they have of a range, in order.
func (s spans) each(from, to int64, f func(piece)) {
	i, _ := slices.BinarySearchFunc(s, from, func(x span, at int64) int {
		if x.to <= at {
			return -1
		}
		return 1
	})
	for ; i < len(s) && s[i].from < to; i++ {
		start, end := max(from, s[i].from), min(to, s[i].to)
		f(piece{off: start, n: end - start, zero: true})
	}
}
