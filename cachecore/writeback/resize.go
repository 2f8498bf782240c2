package writeback

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// Objects is an array that consists of objects, each of which has an end. No zeros are logged of it (Unmap, WriteZeroes).
type Objects interface {
	// Stretch is how many addresses each object has, the first one from 0 on.
	Stretch() int64
	// Resize has the object in whose stretch an address lies end there. What it had behind that is gone, and is zeros if the object ends there later.
	Resize(ctx context.Context, end int64) error
}

// stretchOf is 0 of an array that doesn't consist of objects.
func stretchOf(a cachecore.Array) int64 {
	if o, ok := a.(Objects); ok {
		return o.Stretch()
	}
	return 0
}

// Resize logs the new end of an object, or has direct set it where the mode is through. No record has data of the object more than so many bytes behind it.
func (a *Array) Resize(ctx context.Context, end, behind int64, direct func(context.Context) error) error {
	if err := a.check(end, behind); err != nil {
		return err
	}
	if a.stretch == 0 {
		return fmt.Errorf("the end of an object: %w", cachecore.ErrUnsupported)
	}
	return a.change(ctx, writelog.Record{Kind: writelog.Resize, Off: end, Len: behind}, nil, false, direct)
}

// setEnds is the part of destage before there are data: an object's lowest end of the interval takes away what was there, its last one says how far it
// goes, whatever data lie below. No data of the interval lie behind the last end but what was written after it.
func (a *Array) setEnds(ctx context.Context, iv *interval) error {
	if len(iv.index.tails.of) == 0 {
		return nil
	}
	below := a.below.(Objects)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(a.opts.Parallel)
	for _, t := range iv.index.tails.of {
		group.Go(func() error {
			if err := below.Resize(ctx, t.lowest); err != nil || t.last == t.lowest {
				return err
			}
			return below.Resize(ctx, t.last)
		})
	}
	return group.Wait()
}

// tails are what lies behind the ends of objects, by their numbers: it reads as zeros where there is no extent.
type tails struct {
	stretch int64
	of      map[int64]tail
}

// tail is of one object: where it ended last, and where it ended at its shortest.
type tail struct{ lowest, last int64 }

func (s *tails) add(end, stretch int64) {
	if s.of == nil {
		s.stretch, s.of = stretch, map[int64]tail{}
	}
	t := tail{end, end}
	if old, ok := s.of[end/stretch]; ok {
		t.lowest = min(t.lowest, old.lowest)
	}
	s.of[end/stretch] = t
}

// each calls f for what they have of a range, in order.
func (s *tails) each(from, to int64, f func(piece)) {
	if len(s.of) == 0 {
		return
	}
	for from < to {
		object := from / s.stretch
		next := min(to, (object+1)*s.stretch)
		if t, ok := s.of[object]; ok && t.lowest < next {
			start := max(from, t.lowest)
			f(piece{off: start, n: next - start, zero: true})
		}
		from = next
	}
}

// resize enters that an object ends somewhere, of which there are no data more than so many bytes behind that.
func (x *index) resize(end, behind, stretch int64) {
	if stretch == 0 { // a record that can't be of this array
		return
	}
	x.cutOut(end, behind)
	x.tails.add(end, stretch)
}
