package ram

import (
	"fmt"
	"os"
)

// Arena is page-aligned memory of one pool, outside the Go heap. Store and Buffers are carved from it and must be out of use before Close.
type Arena struct {
	mem     []byte
	taken   int
	lockErr error
	unmap   func() error
}

// NewArena reserves that many bytes, rounded up to pages, and asks for them to be locked as they are first touched. Whether they could
// be is Locked's to say: an arena that can be swapped works, but slowly.
func NewArena(bytes int64) (*Arena, error) {
	page := int64(os.Getpagesize())
	if bytes <= 0 || bytes > 1<<46 {
		return nil, fmt.Errorf("arena of %d bytes", bytes)
	}
	a := &Arena{}
	if err := a.reserve(int((bytes + page - 1) / page * page)); err != nil {
		return nil, fmt.Errorf("arena of %d bytes: %w", bytes, err)
	}
	return a, nil
}

// Locked returns why the pages are not locked into memory (RLIMIT_MEMLOCK, usually), or nil: a warning to log.
func (a *Arena) Locked() error { return a.lockErr }

// Take carves the next n bytes off, rounded up to pages; nil if that many are not left. One goroutine's at a time.
func (a *Arena) Take(n int64) []byte {
	page := int64(os.Getpagesize())
	n = (n + page - 1) / page * page
	if n <= 0 || n > int64(len(a.mem)-a.taken) {
		return nil
	}
	p := a.mem[a.taken : a.taken+int(n) : a.taken+int(n)]
	a.taken += int(n)
	return p
}

// Left is what Take can still give.
func (a *Arena) Left() int64 { return int64(len(a.mem) - a.taken) }

// Close gives the memory back to the system. Whoever still touches it dies, so it comes after Store.Close.
func (a *Arena) Close() error {
	a.mem = nil
	return a.unmap()
}
