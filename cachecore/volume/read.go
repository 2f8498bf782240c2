package volume

import (
	"context"
	"fmt"
	"time"

	"forebay/cachecore"
)

// ReadNow appends the range to sink if the cache has all of it, else appends nothing and says false. It waits for nothing and allocates
// nothing.
func (v *Volume) ReadNow(sink cachecore.Sink, off int64, n int) bool {
	if off < 0 || n <= 0 || off > v.readable.Load()-int64(n) {
		return false
	}
	_, blocks := blocksOf(off, int64(n))
	if !v.stats.Sampled() {
		if !v.store.ReadNow(v.object, off, n, sink) {
			return false
		}
		v.stats.Hit(blocks)
		return true
	}
	start := time.Now()
	if !v.store.ReadNow(v.object, off, n, sink) {
		return false
	}
	v.stats.Local(time.Since(start))
	v.stats.Hit(blocks)
	return true
}

// Read appends the range to sink, all of it or, with an error, nothing. It is at most MaxRead bytes long.
func (v *Volume) Read(ctx context.Context, sink cachecore.Sink, off int64, n int) error {
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	if err := v.check(ctx, off, int64(n)); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if n > MaxRead {
		return fmt.Errorf("read of %d bytes: more than %d", n, MaxRead)
	}
	if n == 0 || v.ReadNow(sink, off, n) {
		return nil
	}
	r := &reading{v: v, off: off, n: n, admit: !v.streams.bypasses(off, n)}
	r.first, r.blocks = blocksOf(off, int64(n))
	if err := v.held(ctx, r.gather); err != nil {
		return fmt.Errorf("read of %d bytes at %d: %w", n, off, err)
	}
	for _, p := range r.parts { // which are the sink's now
		sink.Add(p.bytes, p.owner, p.token)
	}
	return nil
}

// Prefetch has a range cached, of at most MaxRead bytes, or not where it is being written to. It counts as nobody's read; who reads on is to find what it brought.
func (v *Volume) Prefetch(ctx context.Context, off int64, n int) error {
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	if err := v.check(ctx, off, int64(n)); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	if n > MaxRead {
		return fmt.Errorf("prefetch of %d bytes: more than %d", n, MaxRead)
	}
	if n == 0 {
		return nil
	}
	r := &reading{v: v, off: off, n: n, admit: true, ahead: true}
	r.first, r.blocks = blocksOf(off, int64(n))
	if err := v.held(ctx, r.gather); err != nil {
		return fmt.Errorf("prefetch of %d bytes at %d: %w", n, off, err)
	}
	r.release()
	return nil
}

// reading is a read that misses. Its parts are in order of address.
type reading struct {
	v       *Volume
	off     int64
	n       int
	first   cachecore.Block
	blocks  int
	admit   bool
	ahead   bool // for nobody yet: not counted, and left alone where it would have to wait for a write
	counted bool
	parts   []part
	own     *fill // that it has begun and is to run; nil: there is none
}

// part is a piece of what is read: pinned in the store, or in a fill's buffer once that is done.
type part struct {
	bytes []byte
	owner cachecore.Releaser
	token uint64
	fill  *fill // nil: it is there
}

// Add implements cachecore.Sink for what the store has.
func (r *reading) Add(p []byte, owner cachecore.Releaser, token uint64) {
	r.parts = append(r.parts, part{bytes: p, owner: owner, token: token})
}

func (r *reading) release() {
	for _, p := range r.parts {
		p.owner.Release(p.token)
	}
	r.parts = nil
}
