package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openLocked opens or makes the file, or opens the block device, and holds it against other processes.
func openLocked(o Options) (f *os.File, block bool, err error) {
	flags := os.O_RDWR
	switch info, err := os.Stat(o.Path); {
	case errors.Is(err, fs.ErrNotExist) && o.Size > 0:
		flags |= os.O_CREATE
	case err != nil:
		return nil, false, fmt.Errorf("open the device: %w", err)
	case info.Mode().IsRegular():
	case info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0:
		block = true
		flags |= unix.O_EXCL // fails while the device is mounted or part of something
	default:
		return nil, false, fmt.Errorf("%s is neither a file nor a block device", o.Path)
	}
	f, err = os.OpenFile(o.Path, flags, 0o600)
	if errors.Is(err, unix.EBUSY) {
		return nil, false, fmt.Errorf("%w: %s is mounted, or part of another device", ErrInUse, o.Path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("open the device: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, false, fmt.Errorf("%w: %s is locked by another gateway (%w)", ErrInUse, o.Path, err)
	}
	return f, block, nil
}

// fit settles the size, after lengthening a file that is too short. A crash on the way leaves a file that the next Open lengthens.
func (f *File) fit(o Options) error {
	end, err := f.file.Seek(0, io.SeekEnd) // of a block device too
	if err != nil {
		return fmt.Errorf("measure %s: %w", f.path, err)
	}
	if end < o.Size && f.block {
		return fmt.Errorf("%s has %d bytes, and %d are asked of it", f.path, end, o.Size)
	}
	if !f.block && o.Size > 0 {
		if err := f.lengthen(end, o.Size); err != nil {
			return fmt.Errorf("make %s %d bytes long: %w", f.path, o.Size, err)
		}
	}
	size := o.Size
	if size == 0 {
		size = end / Unit * Unit
	}
	if size == 0 {
		return fmt.Errorf("%s is empty; give it a size", f.path)
	}
	f.size.Store(size)
	return nil
}

// lengthen allocates the space of the file, all of it: an earlier try may have been cut short. Where the file system can't (tmpfs can,
// NFS can't), the file is sparse after all.
func (f *File) lengthen(end, size int64) error {
	if f.sparse {
		if end >= size {
			return nil
		}
	} else if err := f.allocate(0, size); err != nil {
		if end < size { // a file system that is full gives what it has left: that would be missing to all others
			err = errors.Join(err, f.file.Truncate(end))
		}
		return err
	}
	if end < size {
		if err := f.file.Truncate(size); err != nil {
			return err
		}
	}
	return errors.Join(f.file.Sync(), syncDir(f.path))
}

func (f *File) allocate(off, n int64) error {
	err := retry(func() error { return unix.Fallocate(f.fd, 0, off, n) })
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// Allocate takes the space of a range of a sparse file now, so that no write there finds the file system full, as long as nothing of it is discarded. What
// the range has stays. A block device has its space, and a file system that can't has none to give.
func (f *File) Allocate(off, n int64) error {
	if err := CheckRange(f.Size(), off, n); err != nil {
		return fmt.Errorf("allocate space of %s: %w", f.path, err)
	}
	if f.block || n == 0 {
		return nil
	}
	if err := errors.Join(f.allocate(off, n), f.Sync()); err != nil {
		return fmt.Errorf("allocate %d bytes at %d of %s: %w", n, off, f.path, err)
	}
	return nil
}

// syncDir makes the name of a new file durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// goDirect switches to direct I/O and tries it with one unit; where that fails the page cache is used as before.
func goDirect(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return false
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags|unix.O_DIRECT); err != nil {
		return false
	}
	err = retry(func() error { _, err := unix.Pread(fd, Buffer(Unit), 0); return err })
	if errors.Is(err, unix.EINVAL) {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
		return err != nil
	}
	return true
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
