package ram

import (
	"context"
	"errors"
	"sync"
	"unsafe"
)

const pageSize = 4096

// MaxBuffer is the longest buffer in bytes.
const MaxBuffer = pageSize << (orders - 1)

// ErrTooLarge: the pool could not give that much even if all of it were free.
var ErrTooLarge = errors.New("more than the buffer pool has")

// Buffers is a bounded pool of page-aligned memory for I/O. A piece is rounded up to a power of two of pages. Safe for concurrent use.
type Buffers struct {
	mem []byte
	mu  struct {
		sync.Mutex
		pages *buddy
		line  []*claim // who waits, in order of arrival
	}
}

// claim is one waiting Acquire. What it gets is written before granted is closed.
type claim struct {
	sizes   []int
	into    [][]byte
	granted chan struct{}
}

// NewBuffers makes a pool of mem, which must be page aligned (Arena.Take) and is the pool's from then on.
func NewBuffers(mem []byte) *Buffers {
	b := &Buffers{mem: mem}
	b.mu.pages = newBuddy(len(mem) / pageSize)
	return b
}

// Get returns n bytes with whatever content, or nil: there are none now, or n is over MaxBuffer.
func (b *Buffers) Get(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(n)
}

// Try is Get behind those who wait in the line: nil if anybody does.
func (b *Buffers) Try(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.line) > 0 {
		return nil
	}
	return b.get(n)
}

func (b *Buffers) get(n int) []byte {
	order := orderOf(n)
	if n < 0 || order >= orders {
		return nil
	}
	at, ok := b.mu.pages.take(order)
	if !ok {
		return nil
	}
	return b.mem[int(at)*pageSize:][: n : pageSize<<order]
}

// Put takes back what Get or Acquire gave, or any slice of it that begins where it began; nil is nothing. A buffer is put back once.
func (b *Buffers) Put(p []byte) {
	if cap(p) == 0 {
		return
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(p))) - uintptr(unsafe.Pointer(unsafe.SliceData(b.mem)))
	b.mu.Lock()
	defer b.mu.Unlock()
	if at%pageSize != 0 || at >= uintptr(len(b.mem)) || !b.mu.pages.taken(uint32(at/pageSize)) {
		panic("ram: put a buffer that is not out")
	}
	b.mu.pages.give(uint32(at / pageSize))
	b.serve()
}

// Acquire fills into with buffers of those sizes, all or none of them: who holds some and waits for more could wait for ever. It waits
// behind those who came before, until there is room or ctx ends. Get doesn't wait in that line: give it a pool of its own where it must
// not overtake.
func (b *Buffers) Acquire(ctx context.Context, into [][]byte, sizes []int) error {
	b.mu.Lock()
	if len(b.mu.line) == 0 && b.all(into, sizes) {
		b.mu.Unlock()
		return nil
	}
	if !b.possible(sizes) {
		b.mu.Unlock()
		return ErrTooLarge
	}
	c := &claim{sizes: sizes, into: into, granted: make(chan struct{})}
	b.mu.line = append(b.mu.line, c)
	b.mu.Unlock()
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
		return b.withdraw(c, ctx.Err())
	}
}

// withdraw takes a claim out of the line, or gives back what it was granted a moment ago.
func (b *Buffers) withdraw(c *claim, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.mu.line {
		if other == c {
			b.mu.line = append(b.mu.line[:i], b.mu.line[i+1:]...)
			b.serve()
			return err
		}
	}
	b.putAll(c.into)
	b.serve()
	return err
}

// serve grants what the head of the line asks for, as long as it can.
func (b *Buffers) serve() {
	for len(b.mu.line) > 0 && b.all(b.mu.line[0].into, b.mu.line[0].sizes) {
		close(b.mu.line[0].granted)
		b.mu.line = b.mu.line[1:]
	}
}

func (b *Buffers) all(into [][]byte, sizes []int) bool {
	for i, n := range sizes {
		if into[i] = b.get(n); into[i] == nil {
			b.putAll(into[:i])
			return false
		}
	}
	return true
}

func (b *Buffers) putAll(of [][]byte) {
	for i, p := range of {
		at := uintptr(unsafe.Pointer(unsafe.SliceData(p))) - uintptr(unsafe.Pointer(unsafe.SliceData(b.mem)))
		b.mu.pages.give(uint32(at / pageSize))
		of[i] = nil
	}
}

// possible says whether an idle pool has what is asked for. Powers of two fill a buddy system without holes.
func (b *Buffers) possible(sizes []int) bool {
	pages := 0
	for _, n := range sizes {
		order := orderOf(n)
		if n < 0 || order >= orders || 1<<order > len(b.mem)/pageSize {
			return false
		}
		pages += 1 << order
	}
	return pages <= len(b.mem)/pageSize
}

// Free is how many bytes are not out.
func (b *Buffers) Free() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.mu.pages.freePages) * pageSize
}

// Ample says whether nobody waits and half of the pool is free: enough to do more than what somebody waits for.
func (b *Buffers) Ample() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.line) == 0 && b.mu.pages.freePages >= len(b.mem)/pageSize/2
}
