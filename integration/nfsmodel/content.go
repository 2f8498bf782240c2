package nfsmodel

import "slices"

const pageSize = 4096

// content is what a file holds: pages, with holes of zeros, so that files can be far longer than memory. A page that was written stays, even
// if all its bytes are zero; bytes beyond size are zero.
type content struct {
	size  uint64
	pages map[uint64]*[pageSize]byte // by number
}

// write puts p at off.
func (t *content) write(off uint64, p []byte) {
	t.size = max(t.size, off+uint64(len(p)))
	if t.pages == nil {
		t.pages = make(map[uint64]*[pageSize]byte)
	}
	for len(p) > 0 {
		page := t.pages[off/pageSize]
		if page == nil {
			page = new([pageSize]byte)
			t.pages[off/pageSize] = page
		}
		n := copy(page[off%pageSize:], p)
		off, p = off+uint64(n), p[n:]
	}
}

// read returns n bytes at off; those beyond size are zero.
func (t *content) read(off uint64, n int) []byte {
	out := make([]byte, n)
	for p := out; len(p) > 0; {
		in := int(off % pageSize)
		n := min(len(p), pageSize-in)
		if page := t.pages[off/pageSize]; page != nil {
			copy(p[:n], page[in:])
		}
		off, p = off+uint64(n), p[n:]
	}
	return out
}

// truncate makes the size n.
func (t *content) truncate(n uint64) {
	for number, page := range t.pages {
		switch start := number * pageSize; {
		case start >= n:
			delete(t.pages, number)
		case n-start < pageSize:
			clear(page[n-start:])
		}
	}
	t.size = n
}

// numbers are those of the pages, in order.
func (t *content) numbers() []uint64 {
	numbers := make([]uint64, 0, len(t.pages))
	for number := range t.pages {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return numbers
}
