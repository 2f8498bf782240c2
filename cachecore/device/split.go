package device

import (
	"fmt"
	"sync/atomic"
)

// Split makes two devices of one: low is what lies before at, high the rest. Neither reaches into the other. They are dev's only users from now on, and
// the last Close of the two closes it.
//
// What concerns dev as a whole concerns both: a Sync makes durable what either has been answered, and after one that failed both are broken (ErrBroken).
func Split(dev Device, at int64) (low, high Device, err error) {
	if at%Unit != 0 || at <= 0 || at >= dev.Size() {
		return nil, nil, fmt.Errorf("split a device of %d bytes at %d: want whole units of %d on both sides", dev.Size(), at, Unit)
	}
	open := new(atomic.Int32)
	open.Store(2)
	return &part{dev: dev, size: at, open: open}, &part{dev: dev, from: at, size: dev.Size() - at, open: open}, nil
}

// part is a range of a device.
type part struct {
	dev        Device
	from, size int64
	open       *atomic.Int32 // parts of dev that are
	closed     atomic.Bool
}

// Size is the range's.
func (p *part) Size() int64 { return p.size }

// ReadAt reads within the range.
func (p *part) ReadAt(b []byte, off int64) error {
	if err := Check(p.size, b, off); err != nil {
		return fmt.Errorf("read a part: %w", err)
	}
	return p.dev.ReadAt(b, p.from+off)
}

// WriteAt writes within the range.
func (p *part) WriteAt(b []byte, off int64) error {
	if err := Check(p.size, b, off); err != nil {
		return fmt.Errorf("write a part: %w", err)
	}
	return p.dev.WriteAt(b, p.from+off)
}

// WriteDurable writes within the range.
func (p *part) WriteDurable(b []byte, off int64) error {
	if err := Check(p.size, b, off); err != nil {
		return fmt.Errorf("write a part: %w", err)
	}
	return p.dev.WriteDurable(b, p.from+off)
}

// Sync is that of the whole.
func (p *part) Sync() error { return p.dev.Sync() }

// Discard tells of a range within the range.
func (p *part) Discard(off, n int64) error {
	if err := CheckRange(p.size, off, n); err != nil {
		return fmt.Errorf("discard of a part: %w", err)
	}
	return p.dev.Discard(p.from+off, n)
}

// Close closes the whole if the other part is closed. A second Close of the same part does nothing.
func (p *part) Close() error {
	if p.closed.Swap(true) || p.open.Add(-1) > 0 {
		return nil
	}
	return p.dev.Close()
}
