//go:build linux && !race

package ram

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (a *Arena) reserve(n int) error {
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return err
	}
	// Fewer TLB misses; a kernel without huge pages says no, which is fine.
	_ = unix.Madvise(mem, unix.MADV_HUGEPAGE)
	a.mem, a.lockErr = mem, lockOnFault(mem)
	a.unmap = func() error { return unix.Munmap(mem) }
	return nil
}

// lockOnFault locks pages as they are touched, so that a large arena costs no time at start (mlock2(2); x/sys has no wrapper).
func lockOnFault(mem []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MLOCK2, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), unix.MLOCK_ONFAULT)
	if errno != 0 {
		return fmt.Errorf("lock %d bytes into memory: %w", len(mem), errno)
	}
	return nil
}
