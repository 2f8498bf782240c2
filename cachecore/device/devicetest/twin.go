package devicetest

import (
	"fmt"
	"sync"

	"forebay/cachecore/device"
)

// Sector is what a power cut leaves whole, in bytes.
const Sector = 512

// Kind of a call.
type Kind int

// The kinds.
const (
	Read Kind = iota
	Write
	WriteDurable
	Sync
	Discard
)

func (k Kind) String() string {
	return [...]string{"read", "write", "durable write", "sync", "discard"}[k]
}

// Call is what a Twin was asked.
type Call struct {
	Kind     Kind
	N        int // how many calls of this kind came up to it, from 1
	Off, Len int64
}

// Fault is what becomes of a call; the zero value: nothing out of order.
type Fault struct {
	Err  error // the answer. Nothing is done, unless Done
	Done bool  // despite Err
	Lost bool  // a write is answered and not done
	// Move is added to the offset of a write, which lands there.
	Move int64
}

// Twin is a device in memory. Its calls may be concurrent.
type Twin struct {
	base []byte // before the first call; never changed
	mu   struct {
		sync.Mutex
		now    []byte // what readers see
		events int
		ops    []*op
		counts [Discard + 1]int
		onCall func(Call) Fault
	}
}

// op is a write, discard or sync, with the events of its beginning and its answer.
type op struct {
	kind       Kind
	off        int64
	data       []byte
	start, end int // end 0: not answered
}

var _ device.Device = (*Twin)(nil)

// New makes a twin of zeros.
func New(size int64) *Twin { return FromImage(make([]byte, size)) }

// FromImage makes a twin that holds a copy of an image.
func FromImage(image []byte) *Twin {
	t := &Twin{base: append([]byte(nil), image...)}
	t.mu.now = append([]byte(nil), image...)
	return t
}

// OnCall has f decide about every call. It is called without a lock, from the caller's goroutine, before anything is done, and may block.
func (t *Twin) OnCall(f func(Call) Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.onCall = f
}

// Nth is for OnCall: the n-th call of a kind, counted from the twin's making, has that fault.
func Nth(kind Kind, n int, fault Fault) func(Call) Fault {
	return func(c Call) Fault {
		if c.Kind == kind && c.N == n {
			return fault
		}
		return Fault{}
	}
}

// Events is how many beginnings and answers of writes, discards and syncs there have been: a point in time for Crash.
func (t *Twin) Events() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.events
}

// Image is what readers see now, a copy.
func (t *Twin) Image() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), t.mu.now...)
}

// Flip turns bits of a byte over: rot, which no power cut undoes. It is for twins that are not to be crashed.
func (t *Twin) Flip(off int64, mask byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.now[off] ^= mask
}

// begin counts the call and asks OnCall about it.
func (t *Twin) begin(kind Kind, off, n int64) Fault {
	t.mu.Lock()
	t.mu.counts[kind]++
	call, ask := Call{Kind: kind, N: t.mu.counts[kind], Off: off, Len: n}, t.mu.onCall
	t.mu.Unlock()
	if ask == nil {
		return Fault{}
	}
	return ask(call)
}

// Size is the image's length.
func (t *Twin) Size() int64 { return int64(len(t.base)) }

// ReadAt sees the newest.
func (t *Twin) ReadAt(p []byte, off int64) error {
	if err := device.Check(t.Size(), p, off); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if fault := t.begin(Read, off, int64(len(p))); fault.Err != nil {
		return fault.Err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	copy(p, t.mu.now[off:])
	return nil
}

// WriteAt is volatile.
func (t *Twin) WriteAt(p []byte, off int64) error { return t.write(Write, p, off) }

// WriteDurable is durable when it is answered.
func (t *Twin) WriteDurable(p []byte, off int64) error { return t.write(WriteDurable, p, off) }

func (t *Twin) write(kind Kind, p []byte, off int64) error {
	if err := device.Check(t.Size(), p, off); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	fault := t.begin(kind, off, int64(len(p)))
	if fault.Lost || (fault.Err != nil && !fault.Done) {
		return fault.Err
	}
	if err := device.CheckRange(t.Size(), off+fault.Move, int64(len(p))); err != nil {
		return fmt.Errorf("misdirected write: %w", err)
	}
	o := t.record(&op{kind: kind, off: off + fault.Move, data: append([]byte(nil), p...)})
	if fault.Err != nil {
		return fault.Err // never answered well, so never known to be durable
	}
	t.answer(o)
	return nil
}

// Sync makes durable what was answered before it.
func (t *Twin) Sync() error {
	if fault := t.begin(Sync, 0, 0); fault.Err != nil {
		return fault.Err
	}
	t.answer(t.record(&op{kind: Sync}))
	return nil
}

// Discard leaves a pattern that nobody wrote.
func (t *Twin) Discard(off, n int64) error {
	if err := device.CheckRange(t.Size(), off, n); err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	if fault := t.begin(Discard, off, n); fault.Err != nil {
		return fault.Err
	}
	junk := make([]byte, n)
	for i := range junk {
		junk[i] = byte(i)*37 ^ 0xa5
	}
	t.answer(t.record(&op{kind: Discard, off: off, data: junk}))
	return nil
}

// Close does nothing: the twin can be opened again as it is.
func (t *Twin) Close() error { return nil }

func (t *Twin) record(o *op) *op {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.events++
	o.start = t.mu.events
	copy(t.mu.now[o.off:], o.data)
	t.mu.ops = append(t.mu.ops, o)
	return o
}

func (t *Twin) answer(o *op) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.events++
	o.end = t.mu.events
}
