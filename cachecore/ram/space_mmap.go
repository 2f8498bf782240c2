//go:build linux && !race

package ram

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserving says that address space costs nothing.
const reserving = true

func newSpace(n int, p page) (*space, error) {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	// Fewer TLB misses; a kernel without huge pages says no, which is fine.
	_ = unix.Madvise(mem, unix.MADV_HUGEPAGE)
	return &space{mem: mem, page: p, unmap: func() error { return unix.Munmap(mem) }}, nil
}

func (s *space) enable(p []byte) error {
	if err := unix.Mprotect(p, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return err
	}
	s.lockErr.note(lockOnFault(p))
	return nil
}

// disable: what is locked is not given back.
func (s *space) disable(p []byte) error {
	_ = unix.Munlock(p)
	if err := unix.Madvise(p, unix.MADV_DONTNEED); err != nil {
		return err
	}
	return unix.Mprotect(p, unix.PROT_NONE)
}

// lockOnFault locks pages as they are touched, so that a large arena costs no time at start (mlock2(2); x/sys has no wrapper).
func lockOnFault(mem []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MLOCK2, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), unix.MLOCK_ONFAULT)
	if errno != 0 {
		return fmt.Errorf("lock %d bytes into memory: %w", len(mem), errno)
	}
	return nil
}
