package iscsi

import (
	"errors"
	"slices"
	"sync"

	"forebay/cachecore/ram"
)

// kind of a change.
type kind int

const (
	write kind = iota
	unmap
	zero
	zeroUnmap // its space may be given back
)

func (k kind) String() string { return [...]string{"write", "unmap", "zero", "zero"}[k] }

// change is one command that changes the medium, as it is retained to be issued again. It is immutable but for answered.
type change struct {
	kind     kind
	off, len int64  // bytes
	data     []byte // of a write: a copy, in memory of the pool

	answered uint64 // its place in the order of answers; 0: not answered. Guarded by retained.mu
}

// errNoRoom: a flush has to make room first.
var errNoRoom = errors.New("too much is answered and not flushed")

// maxRetained bounds the changes that have no data, which take no room of the pool.
const maxRetained = 16 << 10

// retained is what an array with a volatile cache may still lose (PROTOCOL E1): changes are noted before they are sent, and dropped by a
// flush that was sent after their answer and answered in the same era. What is left after a reset is written again, oldest first. The order of the list is that of sending; overlapping changes are serialised by the caller (PROTOCOL B7), so of two that
// overlap the later one is also the one that was answered later.
type retained struct {
	pool *ram.Buffers
	mu   struct {
		sync.Mutex
		list  []*change
		last  uint64 // the latest answer's place
		era   uint64
		limit int
		murky bool // what was read may not be what is there once the list is written again
	}
}

func newRetained(pool *ram.Buffers) *retained {
	r := &retained{pool: pool}
	r.mu.limit = maxRetained
	return r
}

// note retains a change that is about to be sent; p, of a write, is copied. One that is durable when it is answered needs it only while
// something older is retained, which written again would land over it: else the change is nil.
func (r *retained) note(k kind, p []byte, off, length int64, durable bool) (*change, error) {
	c, err := r.enter(k, len(p), off, length, durable)
	if c != nil {
		copy(c.data, p) // nobody reads it before it is answered
	}
	return c, err
}

func (r *retained) enter(k kind, n int, off, length int64, durable bool) (*change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if durable && len(r.mu.list) == 0 {
		return nil, nil
	}
	if len(r.mu.list) >= r.mu.limit {
		return nil, errNoRoom
	}
	c := &change{kind: k, off: off, len: length}
	if k == write {
		if c.data = r.pool.Get(n); c.data == nil {
			return nil, errNoRoom
		}
	}
	r.mu.list = append(r.mu.list, c)
	return c, nil
}

// answer notes that the array has answered c, nil being nothing.
func (r *retained) answer(c *change) {
	if c == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.last++
	c.answered = r.mu.last
}

// forget lets go of a change that won't be issued again. maybe: it may have been executed all the same. Then what was read of its range since may
// not be what is there once older changes are written again.
func (r *retained) forget(c *change, maybe bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(func(other *change) bool { return other == c })
	r.mu.murky = len(r.mu.list) > 0 && (r.mu.murky || maybe)
}

// forsake lets go of all that is answered, and says whether that was anything.
func (r *retained) forsake() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.mu.list)
	r.drop(func(c *change) bool { return c.answered != 0 })
	return len(r.mu.list) < before
}

// doubtReads notes that reads may have been answered without what the array has lost in a reset: it tells of it with the first command that comes
// after, and executes the next.
func (r *retained) doubtReads() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.murky = len(r.mu.list) > 0
}

// mark is the moment at which a flush was sent.
type mark struct{ era, last uint64 }

// flushing is called before a flush is sent.
func (r *retained) flushing() mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return mark{r.mu.era, r.mu.last}
}

// flushed drops what a flush that was answered has made durable. It says whether the flush counts: one of another era may have been
// answered by an array that had already lost what it was to make durable.
func (r *retained) flushed(m mark) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.era != r.mu.era {
		return false
	}
	r.drop(func(c *change) bool { return c.answered != 0 && c.answered <= m.last })
	return true
}

// newEra says that the array may have lost what it answered.
func (r *retained) newEra() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.era++
}

// unflushed are the answered changes, oldest first, to be written again; no flush may be under way. They stay the ledger's. murky: of what was
// cached of the medium some may differ from what is there after that.
func (r *retained) unflushed() (list []*change, murky bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list = slices.DeleteFunc(slices.Clone(r.mu.list), func(c *change) bool { return c.answered == 0 })
	return list, r.mu.murky && len(list) > 0
}

// drop gives back the memory of what it takes off the list. r.mu is held.
func (r *retained) drop(these func(*change) bool) {
	r.mu.list = slices.DeleteFunc(r.mu.list, func(c *change) bool {
		if !these(c) {
			return false
		}
		r.pool.Put(c.data)
		return true
	})
	r.mu.murky = r.mu.murky && len(r.mu.list) > 0
}
