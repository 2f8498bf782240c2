package export

import (
	"forebay/cachecore"
	"forebay/cachecore/volume"
)

// ahead recognises a reader that goes through a file from front to back, and says when to read on before it asks. It is guarded by its node's mu.
type ahead struct {
	next   int64 // where the reader goes on, if it is one
	length int64 // that it has read in a row
	window int64 // bytes that were read ahead at last
	end    int64 // of what was read ahead
	mark   int64 // where more is due
	under  bool  // a prefetch is under way
}

const (
	firstAhead = 128 << 10 // the first window; each is twice the one before
	sequential = 64 << 10  // bytes in a row that make a reader sequential
	slack      = 1 << 20   // how far requests that are under way together may be out of order
)

// reads notes a READ and says whether more is to be read ahead.
func (x *ahead) reads(off, n int64) bool {
	if n == 0 {
		return false
	}
	if off > x.next+slack || off+slack < x.next {
		*x = ahead{next: off + n, length: n, under: x.under}
		return false
	}
	if off+n > x.next {
		x.length += off + n - x.next
		x.next = off + n
	}
	return x.length > sequential && x.next >= x.mark && !x.under
}

// take returns the range to be read ahead, which begins behind what was read; none if there is nothing left of the file.
func (x *ahead) take(size, most int64) (off, n int64) {
	x.window = min(max(2*x.window, firstAhead), most)
	off = max(x.next, x.end) &^ (cachecore.BlockSize - 1)
	n = min(x.window, size-off)
	if n <= 0 {
		x.mark = size
		return 0, 0
	}
	x.end = off + n
	x.mark = x.end - n/2
	x.under = true
	return off, n
}

// maxPrefetches is how many may be under way in an export: each has a goroutine, and a buffer of the pool.
const maxPrefetches = 32

// prefetch reads ahead for a sequential reader of a file of that size, if there is room to. Nobody waits for it, and an error is the reader's to meet.
func (e *Export) prefetch(n *node, size uint64) {
	if e.opts.ReadAhead < 0 || e.life.Err() != nil || !e.opts.Buffers.Ample() {
		return
	}
	select {
	case e.prefetches <- struct{}{}:
	default:
		return
	}
	v, off, length := n.takeAhead(int64(min(size, addressSpace)), e.opts.ReadAhead)
	if length == 0 {
		<-e.prefetches
		return
	}
	e.table.hold(n)
	e.works.Go(func() {
		defer func() { <-e.prefetches }()
		defer e.table.letGo(n)
		_ = v.Prefetch(e.life, off, int(length))
		n.mu.Lock()
		defer n.mu.Unlock()
		n.mu.ahead.under = false
	})
}

// takeAhead returns what is to be read ahead, and from where; nothing if the node was put away.
func (n *node) takeAhead(size, most int64) (v *volume.Volume, off, length int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.volume == nil || n.mu.ahead.under {
		return nil, 0, 0
	}
	off, length = n.mu.ahead.take(size, most)
	return n.mu.volume, off, length
}
