package device

import "fmt"

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
