package ram

import (
	"fmt"
)

// Arena is page-aligned memory of one pool, outside the Go heap. Store and Buffers are carved from it and must be out of use before Close.
type Arena struct {
	space *space
	taken int
}

// NewArena reserves that many bytes, rounded up to pages, and asks for them to be locked as they are first touched. Whether they could
// be is Locked's to say: an arena that can be swapped works, but slowly.
func NewArena(bytes int64) (*Arena, error) {
	if bytes <= 0 || bytes > maxSpace {
		return nil, fmt.Errorf("arena of %d bytes", bytes)
	}
	s, err := newSpace(systemPage().up(int(bytes)), systemPage())
	if err != nil {
		return nil, fmt.Errorf("arena of %d bytes: %w", bytes, err)
	}
	if err := s.use(0, len(s.mem)); err != nil {
		_ = s.unmap()
		return nil, fmt.Errorf("arena of %d bytes: %w", bytes, err)
	}
	return &Arena{space: s}, nil
}

// maxSpace is half of what a process can address.
const maxSpace = 1 << 46

// Locked returns why the pages are not locked into memory (RLIMIT_MEMLOCK, usually), or nil: a warning to log.
func (a *Arena) Locked() error { return a.space.lockErr.get() }

// Take carves the next n bytes off, rounded up to pages; nil if that many are not left. One goroutine's at a time.
func (a *Arena) Take(n int64) []byte {
	n = int64(a.space.page.up(int(n)))
	if n <= 0 || n > a.Left() {
		return nil
	}
	p := a.space.mem[a.taken : a.taken+int(n) : a.taken+int(n)]
	a.taken += int(n)
	return p
}

// Left is what Take can still give.
func (a *Arena) Left() int64 { return int64(len(a.space.mem) - a.taken) }

// Close gives the memory back to the system. Whoever still touches it dies, so it comes after Store.Close.
func (a *Arena) Close() error {
	a.space.mem = nil
	return a.space.unmap()
}
