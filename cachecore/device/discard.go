package device

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Discard punches a hole into a sparse file, or discards a range of a block device. An allocated file keeps its space.
func (f *File) Discard(off, n int64) error {
	if err := CheckRange(f.Size(), off, n); err != nil {
		return fmt.Errorf("discard of %s: %w", f.path, err)
	}
	if n == 0 {
		return nil
	}
	err := error(unix.EOPNOTSUPP)
	switch {
	case f.block:
		err = retry(func() error { return f.blkdiscard(off, n) })
	case f.sparse:
		err = retry(func() error {
			return unix.Fallocate(f.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
		})
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("discard %d bytes at %d of %s: %w", n, off, f.path, err)
	}
	return nil
}

func (f *File) blkdiscard(off, n int64) error {
	span := [2]uint64{uint64(off), uint64(n)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), unix.BLKDISCARD, uintptr(unsafe.Pointer(&span))); errno != 0 {
		return errno
	}
	return nil
}
