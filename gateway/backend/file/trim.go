package file

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// Unmap punches a hole into a file, or discards a range of a device.
func (a *Array) Unmap(ctx context.Context, off, length int64) error {
	if err := a.begin(ctx, off, length); err != nil || length == 0 {
		return err
	}
	if !a.info.Thin {
		return fmt.Errorf("unmap %s: %w", a.path, cachecore.ErrUnsupported)
	}
	unmap := a.punch
	if a.device {
		unmap = a.discard
	}
	if err := unmap(off, length); err != nil {
		return fmt.Errorf("unmap %d bytes at %d of %s: %w", length, off, a.path, writeFailed(err, 0))
	}
	return nil
}

// WriteZeroes asks the filesystem or the device for zeros, and writes them where neither has a call for it.
func (a *Array) WriteZeroes(ctx context.Context, off, length int64, unmap bool) error {
	if err := a.begin(ctx, off, length); err != nil || length == 0 {
		return err
	}
	modes := []uint32{unix.FALLOC_FL_ZERO_RANGE}
	if unmap {
		modes = []uint32{unix.FALLOC_FL_PUNCH_HOLE, unix.FALLOC_FL_ZERO_RANGE}
	}
	for _, mode := range modes {
		err := a.fallocate(mode, off, length)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("zero %d bytes at %d of %s: %w", length, off, a.path, writeFailed(err, 0))
		}
	}
	return a.writeZeroes(ctx, off, length)
}

func (a *Array) writeZeroes(ctx context.Context, off, length int64) error {
	zeros, err := a.bounce.get(ctx)
	if err != nil {
		return err
	}
	defer a.bounce.put(zeros)
	clear(zeros)
	for done := int64(0); done < length; {
		n := min(length-done, int64(len(zeros)))
		if err := a.write(ctx, zeros[:n], off+done, false, int(done)); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// fallocate never changes the file's size. On a device it is a zero-out, with or without giving the space back.
func (a *Array) fallocate(mode uint32, off, length int64) error {
	for {
		err := unix.Fallocate(a.fd, mode|unix.FALLOC_FL_KEEP_SIZE, off, length)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (a *Array) punch(off, length int64) error {
	return a.fallocate(unix.FALLOC_FL_PUNCH_HOLE, off, length)
}

// discard gives back the whole sectors of the range, which may be none: what was unmapped may read as anything.
func (a *Array) discard(off, length int64) error {
	begin := (off + a.sector - 1) / a.sector * a.sector
	end := (off + length) / a.sector * a.sector
	if begin >= end {
		return nil
	}
	span := [2]uint64{uint64(begin), uint64(end - begin)}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(a.fd), unix.BLKDISCARD, uintptr(unsafe.Pointer(&span)))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}
