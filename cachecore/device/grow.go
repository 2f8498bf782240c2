package device

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// ErrNoRoom: a block device ends there, or a file can't be so long.
var ErrNoRoom = errors.New("there is not so much room")

// Grow makes a file longer, and uses more of a block device that has more, while it is in use. What was there stays. A size that is not above that of
// now changes nothing. One goroutine's at a time.
func (f *File) Grow(size int64) error {
	if size%Unit != 0 {
		return fmt.Errorf("%s: a size of %d bytes is not whole units of %d", f.path, size, Unit)
	}
	if size <= f.Size() {
		return nil
	}
	end, err := f.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("measure %s: %w", f.path, err)
	}
	if f.block && size > end {
		return fmt.Errorf("%s: %w: %d bytes", f.path, ErrNoRoom, end)
	}
	if !f.block {
		err := f.lengthen(end, size)
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EFBIG) {
			err = fmt.Errorf("%w: %w", ErrNoRoom, err)
		}
		if err != nil {
			return fmt.Errorf("make %s %d bytes long: %w", f.path, size, err)
		}
	}
	f.size.Store(size)
	return nil
}
