package writeback

import "slices"

// span is a range of bytes that reads as zeros.
type span struct {
	from, to int64
	unmap    bool // its space is given back
}

// spans are in order, and disjoint.
type spans []span

// add puts a span over what is there.
func (s spans) add(n span) spans {
	var list spans
	for _, old := range s {
		if old.from < n.from {
			list = append(list, span{old.from, min(old.to, n.from), old.unmap})
		}
		if old.to > n.to {
			list = append(list, span{max(old.from, n.to), old.to, old.unmap})
		}
	}
	list = append(list, n)
	slices.SortFunc(list, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	return list.merged()
}

// merged joins neighbours that are alike.
func (s spans) merged() spans {
	list := s[:0:0]
	for _, x := range s {
		if last := len(list) - 1; last >= 0 && list[last].to == x.from && list[last].unmap == x.unmap {
			list[last].to = x.to
			continue
		}
		list = append(list, x)
	}
	return list
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
