package volume

import (
	"context"
	"fmt"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/flash"
)

// Flash is a second level of the cache, below the RAM store, of one object; a flash.Object is one. Nobody but the volume uses it.
type Flash interface {
	Contains(first cachecore.Block, n int) flash.Found
	Read(ctx context.Context, first cachecore.Block, n int, into []byte) (flash.Found, error)
	Prepare(first cachecore.Block, n int) flash.Batch
	Invalidate(ctx context.Context, first cachecore.Block, n uint64) error
	InvalidateNow(first cachecore.Block, n uint64) bool
	Drop(ctx context.Context) error
}

// fetch brings the content of a fill: what flash has from there, the rest from the array in one read, and with it what lies between its parts. While
// its runs are being written to, flash isn't asked.
func (v *Volume) fetch(ctx context.Context, f *fill) error {
	f.asked = span{0, f.n}
	if v.flash == nil || !f.quiet {
		return v.fromArray(ctx, f, f.asked)
	}
	there := v.flash.Contains(f.first, f.n)
	absent := absentOf(&there, f.n)
	switch {
	case absent == f.asked:
		return v.fromArray(ctx, f, absent)
	case absent.empty():
		start := time.Now()
		if f.asked = v.fromFlash(ctx, f, span{0, f.n}); f.asked.empty() {
			if v.stats.Sampled() {
				v.stats.Local(time.Since(start))
			}
			return nil
		}
		return v.fromArray(ctx, f, f.asked) // a block has just left, or was rotten
	default:
		return v.fromBoth(ctx, f, absent)
	}
}

// fromBoth asks the array and flash at the same time, and the array once more for what flash didn't have after all.
func (v *Volume) fromBoth(ctx context.Context, f *fill, absent span) error {
	answered := make(chan error, 1)
	go func() { answered <- v.fromArray(ctx, f, absent) }()
	lost := v.fromFlash(ctx, f, span{0, absent.from}).and(v.fromFlash(ctx, f, span{absent.to, f.n}))
	if err := <-answered; err != nil {
		return err
	}
	f.asked = absent
	if lost.empty() {
		return nil
	}
	f.asked = absent.and(lost)
	return v.fromArray(ctx, f, f.asked)
}

// fromArray reads a part of a fill from the array.
func (v *Volume) fromArray(ctx context.Context, f *fill, s span) error {
	first := f.first + cachecore.Block(s.from)
	return v.readArray(ctx, f.bytes(first, f.first+cachecore.Block(s.to)), int64(first)*cachecore.BlockSize)
}

// fromFlash reads a part of a fill from flash and returns what of it wasn't there.
func (v *Volume) fromFlash(ctx context.Context, f *fill, s span) (lost span) {
	if s.empty() {
		return s
	}
	first := f.first + cachecore.Block(s.from)
	found, err := v.flash.Read(ctx, first, s.to-s.from, f.bytes(first, f.first+cachecore.Block(s.to)))
	if err != nil {
		return s
	}
	lost = absentOf(&found, s.to-s.from)
	return span{lost.from + s.from, lost.to + s.from}
}

// span is places in a fill, from one to before another.
type span struct{ from, to int }

func (s span) empty() bool { return s.from >= s.to }

// and is the least span that has both.
func (s span) and(other span) span {
	switch {
	case s.empty():
		return other
	case other.empty():
		return s
	}
	return span{min(s.from, other.from), max(s.to, other.to)}
}

// absentOf is the least span that has all of n blocks that were not found.
func absentOf(found *flash.Found, n int) span {
	var s span
	for i := range n {
		if !found.Has(i) {
			s = s.and(span{i, i + 1})
		}
	}
	return s
}

// offered is what is offered to flash of one run: each line by itself.
type offered [2]flash.Batch

// offer prepares what flash may want of a run's blocks, of those that the array was asked for. A block that the array has in part is not for flash:
// if the array has grown after a restart, it is another one.
func (v *Volume) offer(f *fill, from, to cachecore.Block) (o offered) {
	if v.flash == nil {
		return o
	}
	from = max(from, f.first+cachecore.Block(f.asked.from))
	to = min(to, f.first+cachecore.Block(f.asked.to), cachecore.Block(v.extent.Load()/cachecore.BlockSize))
	if from >= to || !v.lasts(from) {
		return o
	}
	for i := 0; from < to; i++ {
		end := min(to, (from/flash.LineBlocks+1)*flash.LineBlocks)
		o[i] = v.flash.Prepare(from, int(end-from))
		for at := from; at < end; at++ {
			copy(o[i].Bytes(int(at-from)), f.bytes(at, at+1))
		}
		from = end
	}
	return o
}

// publish comes with the run's stripe locked, as the installation in RAM does.
func (o *offered) publish() {
	for i := range o {
		o[i].Publish()
	}
}

// abandon does nothing once it is published.
func (o *offered) abandon() {
	for i := range o {
		o[i].Abandon()
	}
}

// invalidate has flash forget what is about to be written, so that it is not served after a crash either (PROTOCOL G3). It comes when the runs have
// their writer, so that nothing old is published behind it, and before the array is asked. With an error the array must not be.
func (v *Volume) invalidate(ctx context.Context, first cachecore.Block, n uint64) error {
	if v.flash == nil {
		return nil
	}
	if err := v.flash.Invalidate(ctx, first, n); err != nil {
		return fmt.Errorf("%w: the flash tier can't be kept fresh: %w", cachecore.ErrUnavailable, err)
	}
	return nil
}

// invalidateNow is invalidate without waiting; false: it would have to.
func (v *Volume) invalidateNow(first cachecore.Block, n uint64) bool {
	return v.flash == nil || v.flash.InvalidateNow(first, n)
}

// dropFlash forgets all that flash has. With an error it is forgotten too, but for a crash, which writes wait for to be noted. Who has changed the
// array may not have flushed it.
func (v *Volume) dropFlash() {
	if v.flash != nil {
		v.lasting.doubt()
		_ = v.flash.Drop(v.life)
	}
}

// inFlash counts the blocks of a range that flash has.
func (v *Volume) inFlash(first cachecore.Block, n int) int {
	if v.flash == nil {
		return 0
	}
	found, count := v.flash.Contains(first, n), 0
	for i := range n {
		if found.Has(i) {
			count++
		}
	}
	return count
}
