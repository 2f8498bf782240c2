package volume

import (
	"context"
	"fmt"

	"forebay/cachecore"
	"forebay/cachecore/stats"
)

// Write writes p and returns when the array has answered; with fua it is durable then. After an error the content of the range is what the
// array says it is. p is the caller's again when Write returns.
func (v *Volume) Write(ctx context.Context, p []byte, off int64, fua bool) error {
	return v.WriteBy(ctx, p, off, func(ctx context.Context) error {
		return v.array.WriteAt(ctx, p, off, cachecore.WriteOptions{FUA: fua})
	})
}

// WriteBy is Write by a call of the array that knows more than WriteAt. What it returns is as that of WriteAt.
func (v *Volume) WriteBy(ctx context.Context, p []byte, off int64, call func(context.Context) error) error {
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	if err := v.check(ctx, off, int64(len(p))); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if len(p) == 0 {
		return nil
	}
	first, n := blocksOf(off, int64(len(p)))
	held, err := v.locks.acquire(ctx, first, uint64(n))
	if err != nil {
		return failedWrite(p, off, err)
	}
	defer v.locks.release(held)
	return v.begin(p, off).carry(ctx, call)
}

func failedWrite(p []byte, off int64, err error) error {
	return fmt.Errorf("write of %d bytes at %d: %w", len(p), off, err)
}

// writing is a write from before the array is asked until its blocks have their new content. It holds the range lock.
type writing struct {
	v     *Volume
	p     []byte
	off   int64
	first cachecore.Block
	n     int

	drops  uint64 // before
	extent int64
	// The cached content of the first and the last block, where the write covers them in part and they were cached (G2). Of a write
	// within one block head is it.
	head, tail overlay
}

// overlay is one pinned block; its zero value is none.
type overlay struct {
	p     []byte
	owner cachecore.Releaser
	token uint64
}

// Add implements cachecore.Sink.
func (o *overlay) Add(p []byte, owner cachecore.Releaser, token uint64) {
	*o = overlay{p, owner, token}
}

func (o *overlay) release() {
	if o.owner != nil {
		o.owner.Release(o.token)
	}
}

// begin keeps fills from installing and hides what the write is about to change. The order matters: what was pinned before the runs were
// raised could still be replaced.
func (v *Volume) begin(p []byte, off int64) *writing {
	w := &writing{v: v, p: p, off: off, drops: v.drops.now(), extent: v.extent.Load()}
	w.first, w.n = blocksOf(off, int64(len(p)))
	v.enter(w.first, uint64(w.n))
	last := w.first + cachecore.Block(w.n-1)
	if !w.covers(w.first) {
		v.store.ReadNow(v.object, int64(w.first)*cachecore.BlockSize, cachecore.BlockSize, &w.head)
	}
	if last != w.first && !w.covers(last) {
		v.store.ReadNow(v.object, int64(last)*cachecore.BlockSize, cachecore.BlockSize, &w.tail)
	}
	v.store.Hide(v.object, w.first, uint64(w.n))
	return w
}

// enter enters a writer of a range, which holds its lock: nothing that is being read of it is installed any more, or served. v.written takes it out.
func (v *Volume) enter(first cachecore.Block, n uint64) {
	v.runs.begin(first, n)
	v.fills.cross(first, n)
}

// covers says whether the write has all of a block that the array has.
func (w *writing) covers(b cachecore.Block) bool {
	start := int64(b) * cachecore.BlockSize
	return w.off <= start && w.off+int64(len(w.p)) >= min(start+cachecore.BlockSize, w.extent)
}

// carry has the array asked, and finishes.
func (w *writing) carry(ctx context.Context, call func(context.Context) error) error {
	v := w.v
	err := v.invalidate(ctx, w.first, uint64(w.n))
	if err == nil {
		err = v.ask(ctx, v.counted(stats.Write, len(w.p), call))
	}
	w.finish(err == nil)
	if err != nil {
		return failedWrite(w.p, w.off, err)
	}
	return nil
}

// finish publishes the new content, or drops what was there, and lets others install again. It leaves nothing hidden.
func (w *writing) finish(answered bool) {
	if answered {
		for at, to := w.publishable(); at < to; {
			end := min(to, nextRun(at))
			w.publish(at, end)
			at = end
		}
	} else {
		w.v.store.Drop(w.v.object, w.first, uint64(w.n))
	}
	w.v.written(w.first, uint64(w.n))
	w.head.release()
	w.tail.release()
}

// publishable are the blocks whose whole content is known. The others were not cached, and could not be since.
func (w *writing) publishable() (from, to cachecore.Block) {
	from, to = w.first, w.first+cachecore.Block(w.n)
	if w.n > 1 && !w.covers(to-1) && w.tail.p == nil {
		to--
	}
	if !w.covers(from) && w.head.p == nil {
		from++
	}
	return from, to
}

// publish installs the new content of blocks of one run, unless the cache was dropped since the write began, or while it did: what a merge
// is made of may be worthless.
func (w *writing) publish(from, to cachecore.Block) {
	batch := w.v.store.Prepare(w.v.object, from, int(to-from))
	for b := from; b < to; b++ {
		if p := batch.Bytes(int(b - from)); p != nil {
			w.content(p, b)
		}
	}
	w.v.reaches(to)
	s := w.v.runs.of(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.v.drops.none(w.drops) && w.v.life.Err() == nil {
		batch.Publish()
		return
	}
	batch.Abandon()
	w.v.store.Drop(w.v.object, from, uint64(to-from))
}

// content is what a block holds now: what was written over what was there, zeros beyond the end of the array.
func (w *writing) content(p []byte, b cachecore.Block) {
	start := int64(b) * cachecore.BlockSize
	if !w.covers(b) {
		if b == w.first {
			copy(p, w.head.p)
		} else {
			copy(p, w.tail.p)
		}
	} else if start+cachecore.BlockSize > w.extent {
		clear(p)
	}
	if w.off >= start {
		copy(p[w.off-start:], w.p)
	} else {
		copy(p, w.p[start-w.off:])
	}
}
