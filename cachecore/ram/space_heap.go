//go:build !linux || race

package ram

import (
	"errors"
	"unsafe"
)

// reserving: there is no address space without memory.
const reserving = false

func newSpace(n int, p page) (*space, error) {
	mem := make([]byte, n+pageSize)
	shift := -int(uintptr(unsafe.Pointer(&mem[0]))) & (pageSize - 1)
	s := &space{mem: mem[shift : shift+n : shift+n], page: p, unmap: func() error { return nil }}
	s.lockErr.note(errors.New("the arena is on the heap in this build"))
	return s, nil
}

func (s *space) enable([]byte) error { return nil }

// disable writes over the memory, which the race detector sees, and whoever still reads it.
func (s *space) disable(p []byte) error {
	clear(p)
	return nil
}
