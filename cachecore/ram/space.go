package ram

import (
	"os"
	"sync"
)

// space is page-aligned address space, of which parts are in use. The rest costs no memory, and whoever touches it dies.
type space struct {
	mem     []byte
	page    page
	lockErr firstError
	unmap   func() error
}

// use makes bytes from one offset to another usable, and the rest of the pages that they are in. What they hold is undefined.
func (s *space) use(from, to int) error { return s.enable(s.mem[s.page.down(from):s.page.up(to)]) }

// leave gives the pages back to the system that begin from one offset to another: the last one with what is in it behind to.
func (s *space) leave(from, to int) error {
	if from, to = s.page.up(from), s.page.up(to); from < to {
		return s.disable(s.mem[from:to])
	}
	return nil
}

// firstError is an error that stays.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (e *firstError) note(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

func (e *firstError) get() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// page is the size of what the system gives and takes back, in bytes: a power of two, at least a block.
type page int

func systemPage() page { return page(os.Getpagesize()) }

func (p page) up(n int) int { return p.down(n + int(p) - 1) }

func (p page) down(n int) int { return n &^ (int(p) - 1) }
