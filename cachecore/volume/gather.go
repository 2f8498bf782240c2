package volume

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
)

// gather collects the parts and waits for them; with an error there are none. What is absent is looked up first, with nothing held, so that
// all buffers can be acquired at once; if by then a block has gone that was there, everything is read from the array.
func (r *reading) gather(ctx context.Context) error {
	for {
		if err := r.collect(ctx); !errors.Is(err, errGivenUp) {
			return err
		}
	}
}

// errGivenUp: a read that others had joined was given up, and with it what it was reading.
var errGivenUp = errors.New("given up by who began it")

func (r *reading) collect(ctx context.Context) error {
	err := errAlone
	if !r.v.locks.overlapped(r.first, uint64(r.blocks)) {
		err = r.freely(ctx)
	}
	for errors.Is(err, errAlone) && !r.ahead {
		r.release()
		if err = r.behind(ctx); errors.Is(err, errNoBuffer) {
			err = r.freely(ctx) // which waits for one
		}
	}
	if err != nil {
		r.release()
	}
	if r.ahead && errors.Is(err, errAlone) {
		return nil
	}
	return err
}

// freely reads beside whatever else is done.
func (r *reading) freely(ctx context.Context) error {
	absent := r.v.store.Absent(nil, r.v.object, r.first, r.blocks, maxFill)
	r.count(absent)
	done, err := r.start(ctx, absent)
	if err == nil && !done {
		r.disown()
		r.release()
		_, err = r.start(ctx, split(r.first, r.blocks))
	}
	if err != nil {
		return err
	}
	return r.wait(ctx)
}

// errAlone: what a fill brings isn't for this read, which has to read by itself. A write of its blocks was under way meanwhile, so that of each logical
// block it may have a piece from before and a piece from after; or it has failed, perhaps for what the read doesn't ask for.
var errAlone = errors.New("to be read alone")

// errNoBuffer: there is no buffer for who can't wait for one.
var errNoBuffer = errors.New("no buffer at once")

// behind reads when the writes that overlap have ended, and before any other begins. Mostly it finds then what they have published; else it reads what is
// asked for and nothing else, which isn't installed. It holds a range, so it waits for the array only.
func (r *reading) behind(ctx context.Context) error {
	held, err := r.v.locks.share(ctx, r.first, uint64(r.blocks))
	if err != nil {
		return err
	}
	defer r.v.locks.release(held)
	r.count(r.v.store.Absent(nil, r.v.object, r.first, r.blocks, maxFill))
	if r.cached(r.first, r.first+cachecore.Block(r.blocks)) {
		return nil
	}
	p := r.v.buffers.Try(r.n)
	if p == nil {
		return errNoBuffer
	}
	r.parts = append(r.parts, part{bytes: p, owner: newLoan(r.v.buffers, p)})
	return r.v.once(ctx, r.v.counted(stats.Read, r.n, func(ctx context.Context) error { return r.v.array.ReadAt(ctx, p, r.off) }))
}

// count counts a read as it was at first, not when the array is asked again.
func (r *reading) count(absent []ram.Extent) {
	if r.counted || r.ahead {
		return
	}
	r.counted = true
	missed := 0
	for _, e := range absent {
		missed += e.N - r.v.inFlash(e.First, e.N)
	}
	r.v.stats.Missed(missed)
	r.v.stats.Hit(r.blocks - missed)
}

// split cuts a range into extents that a fill can read.
func split(first cachecore.Block, n int) []ram.Extent {
	var list []ram.Extent
	for ; n > 0; first, n = first+maxFill, n-maxFill {
		list = append(list, ram.Extent{First: first, N: min(n, maxFill)})
	}
	return list
}

// start pins what lies between the absent extents and has the extents filled; false if something between them is gone.
func (r *reading) start(ctx context.Context, absent []ram.Extent) (bool, error) {
	sizes := make([]int, len(absent))
	for i, e := range absent {
		sizes[i] = e.N * cachecore.BlockSize
	}
	loans, err := r.borrow(ctx, sizes)
	if err != nil {
		return false, err
	}
	defer func() {
		for _, l := range loans {
			l.Release(0)
		}
	}()
	at := r.first
	for i, e := range absent {
		if e.First > at && !r.cached(at, e.First) {
			return false, nil
		}
		at = e.First + cachecore.Block(e.N)
		if !r.cached(e.First, at) { // others may have filled it while we waited for buffers
			r.fill(e.First, at, loans[i])
		}
	}
	end := r.first + cachecore.Block(r.blocks)
	return at == end || r.cached(at, end), nil
}

// borrow acquires buffers of those sizes.
func (r *reading) borrow(ctx context.Context, sizes []int) ([]*loan, error) {
	if len(sizes) == 0 {
		return nil, nil
	}
	buffers, loans := make([][]byte, len(sizes)), make([]*loan, len(sizes))
	if err := r.v.buffers.Acquire(ctx, buffers, sizes); err != nil {
		return nil, fmt.Errorf("buffers: %w", err)
	}
	for i, p := range buffers {
		loans[i] = newLoan(r.v.buffers, p)
	}
	return loans, nil
}

// fill adds the blocks from one to another as parts of fills, new ones or such as are under way.
func (r *reading) fill(from, to cachecore.Block, l *loan) {
	for at, p := from, l.p; at < to; {
		f, isNew := r.v.claim(at, to, p, l, r.admit)
		if isNew {
			if r.v.locks.overlapped(f.first, uint64(f.n)) { // by a write that hasn't found it, perhaps
				r.v.fills.cross(f.first, uint64(f.n))
			}
			r.adopt(f)
		}
		end := min(to, f.end())
		r.parts = append(r.parts, part{bytes: r.clip(f.bytes(at, end), at), owner: f.loan, fill: f})
		p = p[int(end-at)*cachecore.BlockSize:]
		at = end
	}
}

// adopt sees to a new fill being run: the last by the read itself, as soon as it would wait for it, if it can give up then.
func (r *reading) adopt(f *fill) {
	if !r.v.interruptible {
		r.v.runBeside(f)
		return
	}
	r.disown()
	r.own = f
}

// disown leaves the fill that the read would run to a goroutine.
func (r *reading) disown() {
	if r.own != nil {
		r.v.runBeside(r.own)
		r.own = nil
	}
}

// cached adds what the store has of the read's bytes in those blocks, if it has them all.
func (r *reading) cached(from, to cachecore.Block) bool {
	start := max(r.off, int64(from)*cachecore.BlockSize)
	end := min(r.off+int64(r.n), int64(to)*cachecore.BlockSize)
	return r.v.store.ReadNow(r.v.object, start, int(end-start), r)
}

// clip cuts the bytes of whole blocks, from one on, to those that the read asks for.
func (r *reading) clip(p []byte, from cachecore.Block) []byte {
	base := int64(from) * cachecore.BlockSize
	start, end := max(r.off, base), min(r.off+int64(r.n), base+int64(len(p)))
	return p[start-base : end-base : end-base]
}

// wait waits for the fills. One that fails may have failed for blocks, or parts of a block, that this read doesn't ask for.
func (r *reading) wait(ctx context.Context) error {
	if f := r.own; f != nil {
		r.own = nil
		r.v.run(ctx, f)
	}
	for _, p := range r.parts {
		if p.fill == nil {
			continue
		}
		select {
		case <-p.fill.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		switch err := p.fill.err; {
		case err == nil && r.v.fills.crossed(p.fill, r.first, r.blocks):
			return errAlone
		case err == nil:
		case p.fill.givenUp && ctx.Err() == nil && r.v.life.Err() == nil:
			return errGivenUp
		case isUnavailable(err) || r.has(p.fill):
			return err
		default:
			return errAlone
		}
	}
	return nil
}

// has says whether the read asks for all that a fill reads.
func (r *reading) has(f *fill) bool {
	return r.off <= int64(f.first)*cachecore.BlockSize && int64(f.end())*cachecore.BlockSize <= r.off+int64(r.n)
}
