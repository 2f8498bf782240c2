package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// Options of Open.
type Options struct {
	Path string
	// Size is what is served, in bytes: of a larger medium its beginning, of a smaller one nothing. 0: the medium as large as it is,
	// down to whole logical blocks.
	Size int64
	// Create makes a sparse file of Size where there is none, if nothing says that there ever was one.
	Create bool
	// BlockSize is the logical block in bytes, 512 or 4096.
	BlockSize int
	// Expected is the identity that was stored at the first attachment; empty at the first.
	Expected string
	Log      zerolog.Logger
}

// Array is an open file or block device.
type Array struct {
	file   *os.File
	fd     int
	path   string
	device bool
	sector int64 // of a device, bytes: the unit of what it is asked
	info   cachecore.ArrayInfo
	direct alignment // of direct I/O; zero with the page cache
	bounce bouncePool
	flush  flushGroup
}

var (
	_ cachecore.Array  = (*Array)(nil)
	_ cachecore.Zeroer = (*Array)(nil)
)

// Open opens the medium, locks it and verifies its identity, which is then in Info. It wraps cachecore.ErrIdentity if the medium
// isn't the expected one, and cachecore.ErrUnavailable where waiting may help.
func Open(o Options) (*Array, error) {
	if o.BlockSize != 512 && o.BlockSize != 4096 {
		return nil, fmt.Errorf("%s: a logical block of %d bytes: 512 or 4096", o.Path, o.BlockSize)
	}
	if err := o.ensureExists(); err != nil {
		return nil, err
	}
	f, device, err := openLocked(o.Path)
	if err != nil {
		return nil, err
	}
	a := &Array{file: f, fd: int(f.Fd()), path: o.Path, device: device, bounce: newBouncePool()}
	if err := a.attach(o); err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

// attach learns what the opened medium is.
func (a *Array) attach(o Options) error {
	medium, err := a.measure()
	if err != nil {
		return fmt.Errorf("measure %s: %w", a.path, classify(err))
	}
	size := medium.size / int64(o.BlockSize) * int64(o.BlockSize)
	switch {
	case size < o.Size:
		return fmt.Errorf("%s is too small: it has %s, and %s are configured; make it larger or correct the size", a.path, inUnits(medium.size), inUnits(o.Size))
	case o.Size%int64(o.BlockSize) != 0:
		return fmt.Errorf("%s: the configured size, %s, is not a multiple of the block size", a.path, inUnits(o.Size))
	case o.Size != 0:
		size = o.Size
	case size == 0:
		return fmt.Errorf("%s is empty; give it a size", a.path)
	}
	a.sector = int64(medium.alignment.offset)
	identity, err := a.identify(o)
	if err != nil {
		return err
	}
	a.info = cachecore.ArrayInfo{
		Size: size, LogicalBlock: o.BlockSize, PhysicalBlock: max(medium.physicalBlock, o.BlockSize), Thin: medium.thin,
		UnmapZeroes: medium.thin && !a.device, UnmapGrain: medium.grain, WriteCache: medium.writeCache, Identity: identity,
	}
	a.goDirect(medium.alignment, o)
	return nil
}

// Info is what the medium was when it was opened.
func (a *Array) Info() cachecore.ArrayInfo { return a.info }

// Close gives the medium up. No other call may be under way.
func (a *Array) Close() error {
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", a.path, err)
	}
	return nil
}

// openLocked opens a file or a device that nobody else uses.
func openLocked(path string) (f *os.File, device bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", cachecore.ErrUnavailable, err)
	}
	flags := os.O_RDWR
	switch mode := info.Mode(); {
	case mode.IsRegular():
	case mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		device = true
		flags |= unix.O_EXCL // fails while the device is mounted or part of something
	default:
		return nil, false, fmt.Errorf("%s is neither a file nor a block device", path)
	}
	f, err = os.OpenFile(path, flags, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, false, fmt.Errorf("%w: %s is in use on this machine: mounted, or part of another device", cachecore.ErrUnavailable, path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("open the array: %w", classify(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, false, fmt.Errorf("%w: %s is locked: another gateway serves it (%w)", cachecore.ErrUnavailable, path, err)
	}
	return f, device, nil
}

// inUnits is a size for people: in MiB where that is whole.
func inUnits(n int64) string {
	if n != 0 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
