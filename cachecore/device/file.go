package device

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Options of Open.
type Options struct {
	Path string
	// Size in bytes, whole units. A file that is missing or shorter is made that long; of a larger medium the beginning is used. 0: the
	// medium as large as it is, down to whole units.
	Size int64
	// Sparse leaves the space of a file to be allocated as it is written, and Discard gives it back. Otherwise it is allocated by Open, so
	// that no write finds the file system full; a log wants that.
	Sparse bool
}

// File is a file or a block device. It is this process's alone from Open to Close.
type File struct {
	file   *os.File
	fd     int
	path   string
	size   atomic.Int64
	block  bool // a block device
	sparse bool
	direct bool
	broken atomic.Pointer[error] // of the first Sync or WriteDurable that failed
}

var _ Device = (*File)(nil)

// Open opens the medium, locks it and gives a file its size. ErrInUse: another process has it.
func Open(o Options) (*File, error) {
	if o.Size < 0 || o.Size%Unit != 0 {
		return nil, fmt.Errorf("%s: a size of %d bytes is not whole units of %d", o.Path, o.Size, Unit)
	}
	file, block, err := openLocked(o)
	if err != nil {
		return nil, err
	}
	f := &File{file: file, fd: int(file.Fd()), path: o.Path, block: block, sparse: o.Sparse && !block}
	if err := f.fit(o); err != nil {
		file.Close()
		return nil, err
	}
	f.direct = goDirect(f.fd)
	return f, nil
}

// Size is what Open settled, or Grow.
func (f *File) Size() int64 { return f.size.Load() }

// Direct says whether I/O goes past the page cache.
func (f *File) Direct() bool { return f.direct }

// ReadAt reads in place.
func (f *File) ReadAt(p []byte, off int64) error {
	if err := Check(f.Size(), p, off); err != nil {
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	for len(p) > 0 {
		n, err := unix.Pread(f.fd, p, off)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && n == 0:
			err = errors.New("the file has been cut")
		}
		if err != nil {
			return fmt.Errorf("read %s at %d: %w", f.path, off, err)
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// WriteAt writes in place.
func (f *File) WriteAt(p []byte, off int64) error { return f.write(p, off, 0) }

// WriteDurable writes with RWF_DSYNC: force unit access where the drive has it.
func (f *File) WriteDurable(p []byte, off int64) error {
	if err := f.isBroken(); err != nil {
		return err
	}
	if err := f.write(p, off, unix.RWF_DSYNC); err != nil {
		return f.breakBy(err)
	}
	return nil
}

func (f *File) write(p []byte, off int64, flags int) error {
	if err := Check(f.Size(), p, off); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	for len(p) > 0 {
		n, err := f.pwrite(p, off, flags)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && n == 0:
			err = unix.EIO // a write of something wrote nothing: no end to wait for
		}
		if err != nil {
			return fmt.Errorf("write %s at %d: %w", f.path, off, err)
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (f *File) pwrite(p []byte, off int64, flags int) (int, error) {
	if flags == 0 {
		return unix.Pwrite(f.fd, p, off)
	}
	vec := [1][]byte{p}
	return unix.Pwritev2(f.fd, vec[:], off, flags)
}

// Sync is fdatasync.
func (f *File) Sync() error {
	if err := f.isBroken(); err != nil {
		return err
	}
	for {
		err := unix.Fdatasync(f.fd)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return f.breakBy(fmt.Errorf("sync %s: %w", f.path, err))
		}
		return nil
	}
}

func (f *File) isBroken() error {
	if err := f.broken.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, *err)
	}
	return nil
}

func (f *File) breakBy(err error) error {
	f.broken.CompareAndSwap(nil, &err)
	return err
}

// Close gives the medium up.
func (f *File) Close() error {
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return nil
}
