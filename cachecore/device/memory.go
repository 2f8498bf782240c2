package device

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Memory is a device that a power cut or the end of the process takes whole. While the process lives, everything is as durable as it gets.
type Memory struct{ mem []byte }

var _ Device = (*Memory)(nil)

// NewMemory makes a device of page-aligned memory, which is the caller's: a piece of the pool's arena (outside the Go heap), or a Buffer in
// tests. It is the device's alone until Close.
func NewMemory(mem []byte) (*Memory, error) {
	if len(mem) == 0 {
		return nil, fmt.Errorf("a memory device of no bytes")
	}
	if err := Check(int64(len(mem)), mem, 0); err != nil {
		return nil, fmt.Errorf("memory device: %w", err)
	}
	return &Memory{mem: mem}, nil
}

// Size is the length of the memory.
func (m *Memory) Size() int64 { return int64(len(m.mem)) }

// populatePiece is how much memory the system is asked for at a time.
const populatePiece = 16 << 20

// Populate takes the memory from the system, until ctx ends, so that no write waits for that. It changes nothing, and may be called beside
// everything but Close.
func (m *Memory) Populate(ctx context.Context) {
	for at := 0; at < len(m.mem) && ctx.Err() == nil; at += populatePiece {
		if unix.Madvise(m.mem[at:min(at+populatePiece, len(m.mem))], unix.MADV_POPULATE_WRITE) != nil {
			return // a kernel before 5.14; or there is none left, which a write will find out
		}
	}
}

// Bytes is a range of the memory itself, for who keeps others from writing there as long as he looks; nil: it is not whole units of the device.
func (m *Memory) Bytes(off, n int64) []byte {
	if CheckRange(m.Size(), off, n) != nil {
		return nil
	}
	return m.mem[off:][:n:n]
}

// ReadAt copies out.
func (m *Memory) ReadAt(p []byte, off int64) error {
	if err := Check(m.Size(), p, off); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	copy(p, m.mem[off:])
	return nil
}

// WriteAt copies in.
func (m *Memory) WriteAt(p []byte, off int64) error {
	if err := Check(m.Size(), p, off); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	copy(m.mem[off:], p)
	return nil
}

// WriteDurable is WriteAt.
func (m *Memory) WriteDurable(p []byte, off int64) error { return m.WriteAt(p, off) }

// Sync has nothing to do.
func (m *Memory) Sync() error { return nil }

// Discard is not supported: the memory stays the arena's.
func (m *Memory) Discard(off, n int64) error {
	if err := CheckRange(m.Size(), off, n); err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	return ErrUnsupported
}

// Close leaves the memory to its owner.
func (m *Memory) Close() error {
	m.mem = nil
	return nil
}
