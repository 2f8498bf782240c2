package arraytest

import (
	"context"
	"fmt"
	"sync"

	"forebay/cachecore"
)

// Mem is an array in memory. It is safe for concurrent use; the bytes of one logical block are read and written at once, those of
// several are not, as on a disk. No lock is held while an interceptor or a Hold has the operation.
type Mem struct {
	mu struct {
		sync.RWMutex
		info    cachecore.ArrayInfo
		data    []byte           // what reads see
		durable map[int64][]byte // logical block number -> its content that survives a Crash, where that differs from data

		intercept Interceptor
		holds     []*Held          // that wait for an operation
		held      []*Held          // all there were
		inFlight  map[*Op]struct{} // operations that change the medium
		overlaps  int
	}
}

var (
	_ cachecore.Array  = (*Mem)(nil)
	_ cachecore.Zeroer = (*Mem)(nil)
)

// NewMem returns an array of zeros. info.Size must be a multiple of info.LogicalBlock, which is 512 if it is 0.
func NewMem(info cachecore.ArrayInfo) *Mem {
	if info.LogicalBlock == 0 {
		info.LogicalBlock = 512
	}
	if info.Size%int64(info.LogicalBlock) != 0 {
		panic("arraytest: the size is no multiple of the logical block")
	}
	info.PhysicalBlock = max(info.PhysicalBlock, info.LogicalBlock)
	m := &Mem{}
	m.mu.info = info
	m.mu.data = make([]byte, info.Size)
	m.mu.durable = map[int64][]byte{}
	m.mu.inFlight = map[*Op]struct{}{}
	return m
}

// Info implements cachecore.Array.
func (m *Mem) Info() cachecore.ArrayInfo {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.mu.info
}

// Grow makes the array larger.
func (m *Mem) Grow(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.data = append(m.mu.data, make([]byte, size-m.mu.info.Size)...)
	m.mu.info.Size = size
}

// ReadAt implements cachecore.Array.
func (m *Mem) ReadAt(ctx context.Context, p []byte, off int64) error {
	return m.do(ctx, &Op{Kind: Read, Off: off, Len: int64(len(p))}, func(at, n int64) {
		m.mu.RLock()
		defer m.mu.RUnlock()
		copy(p[at-off:at-off+n], m.mu.data[at:])
	})
}

// WriteAt implements cachecore.Array.
func (m *Mem) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	return m.do(ctx, &Op{Kind: Write, Off: off, Len: int64(len(p)), FUA: o.FUA}, func(at, n int64) {
		m.put(at, p[at-off:at-off+n], o.FUA)
	})
}

// Unmap implements cachecore.Array. Without UnmapZeroes the space reads as a pattern that nobody wrote.
func (m *Mem) Unmap(ctx context.Context, off, length int64) error {
	block := make([]byte, m.Info().LogicalBlock)
	if !m.Info().UnmapZeroes {
		for i := range block {
			block[i] = 0xdb
		}
	}
	return m.do(ctx, &Op{Kind: Unmap, Off: off, Len: length}, func(at, n int64) { m.put(at, block[:n], false) })
}

// WriteZeroes implements cachecore.Zeroer.
func (m *Mem) WriteZeroes(ctx context.Context, off, length int64, unmap bool) error {
	block := make([]byte, m.Info().LogicalBlock)
	return m.do(ctx, &Op{Kind: Zero, Off: off, Len: length, Unmap: unmap}, func(at, n int64) { m.put(at, block[:n], false) })
}

// Flush implements cachecore.Array.
func (m *Mem) Flush(ctx context.Context) error {
	op := &Op{Kind: Flush}
	if err := m.pass(ctx, op, Before); err != nil {
		return err
	}
	m.mu.Lock()
	clear(m.mu.durable)
	m.mu.Unlock()
	return m.pass(ctx, op, After)
}

// Crash is a power cut: of what was not durable, only the logical blocks survive for which kept says so (nil: none). No operation may be
// under way.
func (m *Mem) Crash(kept func(block int64) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := int64(m.mu.info.LogicalBlock)
	for block, old := range m.mu.durable {
		if kept == nil || !kept(block) {
			copy(m.mu.data[block*size:], old)
		}
	}
	clear(m.mu.durable)
}

// Overlaps counts the operations that began to change a range while another was changing some of it (PROTOCOL B7).
func (m *Mem) Overlaps() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.mu.overlaps
}

// do runs one operation on a range: interceptors around it, and each logical block on its own.
func (m *Mem) do(ctx context.Context, op *Op, block func(at, n int64)) error {
	if err := m.check(op); err != nil {
		return err
	}
	if op.Kind != Read {
		m.enter(op)
		defer m.leave(op)
	}
	if err := m.pass(ctx, op, Before); err != nil {
		return err
	}
	size := int64(m.Info().LogicalBlock)
	for at := op.Off; at < op.Off+op.Len; at += size {
		block(at, size)
	}
	return m.pass(ctx, op, After)
}

func (m *Mem) check(op *Op) error {
	info := m.Info()
	block := int64(info.LogicalBlock)
	if op.Off%block != 0 || op.Len%block != 0 {
		return fmt.Errorf("%v of %d bytes at %d: not multiples of %d", op.Kind, op.Len, op.Off, block)
	}
	if op.Off < 0 || op.Len < 0 || op.Off > info.Size || op.Len > info.Size-op.Off {
		return fmt.Errorf("%v of %d bytes at %d: %w", op.Kind, op.Len, op.Off, cachecore.ErrOutOfRange)
	}
	return nil
}

// put changes one logical block and remembers what a crash goes back to.
func (m *Mem) put(at int64, p []byte, durable bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	number := at / int64(m.mu.info.LogicalBlock)
	if durable || !m.mu.info.WriteCache {
		delete(m.mu.durable, number)
	} else if m.mu.durable[number] == nil {
		m.mu.durable[number] = append([]byte(nil), m.mu.data[at:at+int64(len(p))]...)
	}
	copy(m.mu.data[at:], p)
}

func (m *Mem) enter(op *Op) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.mu.inFlight {
		if op.Off < other.Off+other.Len && other.Off < op.Off+op.Len {
			m.mu.overlaps++
		}
	}
	m.mu.inFlight[op] = struct{}{}
}

func (m *Mem) leave(op *Op) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.inFlight, op)
}
