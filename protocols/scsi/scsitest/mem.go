// Package scsitest has the in-memory twin of a scsi.Store, for tests of device servers and transports.
package scsitest

import (
	"context"
	"sync"

	"forebay/protocols/scsi"
)

// Mem is a Store in memory. Everything it holds can be read at once. It is safe for concurrent use.
type Mem struct {
	mu      sync.RWMutex
	content []byte

	// Hold, if set, is called before each Read, Write, Flush and Discard, outside the lock; what it returns is their error.
	Hold func(ctx context.Context, call string, off, n int64) error
	// Cold makes ReadNow say no.
	Cold bool
}

// NewMem returns a store of zeros.
func NewMem(size int64) *Mem { return &Mem{content: make([]byte, size)} }

// Content is a copy of what the store holds.
func (m *Mem) Content() []byte {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return append([]byte(nil), m.content...)
}

func (m *Mem) hold(ctx context.Context, call string, off, n int64) error {
	if m.Hold != nil {
		return m.Hold(ctx, call, off, n)
	}
	return ctx.Err()
}

// ReadNow implements scsi.Store.
func (m *Mem) ReadNow(d *scsi.Data, off int64, n int) bool {
	if m.Cold {
		return false
	}
	m.add(d, off, n)
	return true
}

// add copies, as the content may change before d is sent.
func (m *Mem) add(d *scsi.Data, off int64, n int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d.Add(append([]byte(nil), m.content[off:off+int64(n)]...), nil, 0)
}

// Read implements scsi.Store.
func (m *Mem) Read(ctx context.Context, d *scsi.Data, off int64, n int) error {
	if err := m.hold(ctx, "read", off, int64(n)); err != nil {
		return err
	}
	m.add(d, off, n)
	return nil
}

// Write implements scsi.Store.
func (m *Mem) Write(ctx context.Context, p []byte, off int64, _ bool) error {
	if err := m.hold(ctx, "write", off, int64(len(p))); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	copy(m.content[off:], p)
	return nil
}

// Flush implements scsi.Store.
func (m *Mem) Flush(ctx context.Context) error { return m.hold(ctx, "flush", 0, 0) }

// Discard implements scsi.Store: whatever the mode, the range reads as zeros.
func (m *Mem) Discard(ctx context.Context, off, n int64, _ scsi.DiscardMode) error {
	if err := m.hold(ctx, "discard", off, n); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.content[off : off+n])
	return nil
}
