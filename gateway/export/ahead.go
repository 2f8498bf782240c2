package export

import (
	"forebay/cachecore"
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

// prefetch reads ahead for a sequential reader of a file. Nobody waits for it, and an error is the reader's to meet.
func (e *Export) prefetch(n *node) {
	if e.opts.ReadAhead < 0 || e.life.Err() != nil {
		return
	}
	n.mu.Lock()
	off, length := n.mu.ahead.take(int64(min(n.mu.view.attr.Size, addressSpace)), e.opts.ReadAhead)
	v := n.mu.volume
	n.mu.Unlock()
	if length == 0 || v == nil {
		return
	}
	e.table.hold(n)
	e.prefetches.Go(func() {
		defer e.table.letGo(n)
		var nobody discard
		_ = v.Read(e.life, &nobody, off, int(length))
		nobody.release()
		n.mu.Lock()
		defer n.mu.Unlock()
		n.mu.ahead.under = false
	})
}

// discard is a cachecore.Sink of what is read to be cached.
type discard struct{ pieces []piece }

type piece struct {
	owner cachecore.Releaser
	token uint64
}

func (d *discard) Add(_ []byte, owner cachecore.Releaser, token uint64) {
	if owner != nil {
		d.pieces = append(d.pieces, piece{owner, token})
	}
}

func (d *discard) release() {
	for _, p := range d.pieces {
		p.owner.Release(p.token)
	}
}
