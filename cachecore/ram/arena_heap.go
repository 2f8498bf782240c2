//go:build !linux || race

package ram

import (
	"errors"
	"os"
	"unsafe"
)

func (a *Arena) reserve(n int) error {
	page := os.Getpagesize()
	mem := make([]byte, n+page)
	shift := -int(uintptr(unsafe.Pointer(&mem[0]))) & (page - 1)
	a.mem = mem[shift : shift+n : shift+n]
	a.lockErr = errors.New("the arena is on the heap in this build")
	a.unmap = func() error { return nil }
	return nil
}
