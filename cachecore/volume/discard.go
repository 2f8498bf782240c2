package volume

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/cachecore/stats"
)

// A discard is done in pieces, so that writes to its range don't wait for all of it.
const (
	unmapPiece = 1 << 30 // bytes
	zeroPiece  = 1 << 20 // bytes, of zeros that have to be sent
)

// zeroes is never written: all who send zeros share it.
var zeroes = make([]byte, zeroPiece)

// Discard gives the space of a range back. With zero it reads as zeros afterwards, whether or not its space could be given back; without,
// it reads as Info().UnmapZeroes says, and an array that can't unmap does nothing. After an error any part may have been done.
func (v *Volume) Discard(ctx context.Context, off, n int64, zero bool) error {
	return v.inPieces(ctx, "discard", off, n, func(off, n int64) error {
		err := cachecore.ErrUnsupported
		if !zero || v.array.Info().UnmapZeroes {
			err = v.change(ctx, off, n, func(ctx context.Context) error { return v.array.Unmap(ctx, off, n) })
		}
		switch {
		case !errors.Is(err, cachecore.ErrUnsupported):
			return err
		case zero:
			return v.zero(ctx, off, n, true)
		default:
			return nil // UNMAP asks for what may be left undone (SBC-3)
		}
	})
}

// WriteZeroes makes a range read as zeros and keeps its space.
func (v *Volume) WriteZeroes(ctx context.Context, off, n int64) error {
	return v.inPieces(ctx, "zero", off, n, func(off, n int64) error { return v.zero(ctx, off, n, false) })
}

func (v *Volume) inPieces(ctx context.Context, what string, off, n int64, do func(off, n int64) error) error {
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	err := v.check(ctx, off, n)
	for end := off + n; err == nil && off < end; off += unmapPiece {
		if err = ctx.Err(); err == nil {
			err = do(off, min(unmapPiece, end-off))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// zero has the array write zeros, or sends them.
func (v *Volume) zero(ctx context.Context, off, n int64, unmap bool) error {
	if z, ok := v.array.(cachecore.Zeroer); ok {
		err := v.change(ctx, off, n, func(ctx context.Context) error { return z.WriteZeroes(ctx, off, n, unmap) })
		if !errors.Is(err, cachecore.ErrUnsupported) {
			return err
		}
	}
	for end := off + n; off < end; off += zeroPiece {
		p := zeroes[:min(zeroPiece, end-off)]
		err := v.change(ctx, off, int64(len(p)), v.counted(stats.Write, len(p), func(ctx context.Context) error {
			return v.array.WriteAt(ctx, p, off, cachecore.WriteOptions{})
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// Alter has the array change a range from off on in a way that is not Write's or Discard's, by call: a truncation, say. What is cached of the
// range is dropped before, and nothing of it is cached until call has returned.
func (v *Volume) Alter(ctx context.Context, off, n int64, call func(context.Context) error) error {
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	err := v.check(ctx, off, n)
	if err == nil && n > 0 {
		err = v.change(ctx, off, n, call)
	}
	if err != nil {
		return fmt.Errorf("alter: %w", err)
	}
	return nil
}

// change has the array change a range whose new content is not cached: as a write, but what was there is dropped before.
func (v *Volume) change(ctx context.Context, off, n int64, call func(context.Context) error) error {
	first, blocks := blocksOf(off, n)
	held, err := v.locks.acquire(ctx, first, uint64(blocks))
	if err != nil {
		return err
	}
	defer v.locks.release(held)
	v.enter(first, uint64(blocks))
	defer v.written(first, uint64(blocks))
	v.forget(first, uint64(blocks))
	if err := v.invalidate(ctx, first, uint64(blocks)); err != nil {
		return err
	}
	return v.ask(ctx, call)
}
