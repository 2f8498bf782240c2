package writeback

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// clearPiece is how much of the array is cleared at a time.
const clearPiece = 1 << 30

// clear gives the space of a range back, or writes zeros, so that it reads as zeros (PROTOCOL E5).
func (a *Array) clear(ctx context.Context, s span) error {
	for off := s.from; off < s.to; off += clearPiece {
		n := min(clearPiece, s.to-off)
		err := cachecore.ErrUnsupported
		if s.unmap && a.below.Info().UnmapZeroes {
			err = a.below.Unmap(ctx, off, n)
		}
		if z, ok := a.below.(cachecore.Zeroer); ok && errors.Is(err, cachecore.ErrUnsupported) {
			err = z.WriteZeroes(ctx, off, n, s.unmap)
		}
		if errors.Is(err, cachecore.ErrUnsupported) {
			err = a.sendZeroes(ctx, off, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// zeroes are never written: all who send zeros share them.
var zeroes = make([]byte, maxTransfer)

func (a *Array) sendZeroes(ctx context.Context, off, n int64) error {
	for ; n > 0; off, n = off+maxTransfer, n-maxTransfer {
		if err := a.below.WriteAt(ctx, zeroes[:min(n, maxTransfer)], off, cachecore.WriteOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// transfer writes an interval's data, as many transfers at a time as the rate allows.
func (a *Array) transfer(ctx context.Context, iv *interval) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runs := make(chan run)
	var workers sync.WaitGroup
	for range a.opts.Parallel {
		workers.Go(func() {
			for r := range runs {
				if !a.rate.enter(ctx, &a.short) {
					continue
				}
				err := a.move(ctx, iv, r)
				a.rate.leave()
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	iv.index.runs(maxTransfer, a.stretch, func(r run) bool {
		select {
		case runs <- r:
			return true
		case <-ctx.Done():
			return false
		}
	})
	close(runs)
	workers.Wait()
	return context.Cause(ctx)
}

// move carries one run from the log to the array.
func (a *Array) move(ctx context.Context, iv *interval, r run) error {
	var buffer [1][]byte
	if err := a.opts.Buffers.Acquire(ctx, buffer[:], []int{int(r.n)}); err != nil {
		return fmt.Errorf("buffers: %w", err)
	}
	defer a.opts.Buffers.Put(buffer[0])
	for _, x := range r.pieces {
		if err := a.fetch(iv, x, buffer[0][x.off-r.off:x.off-r.off+x.n]); err != nil {
			a.Lose(err)
			return fmt.Errorf("read the write log: %w", err)
		}
	}
	if err := a.below.WriteAt(ctx, buffer[0][:r.n], r.off, cachecore.WriteOptions{}); err != nil {
		return fmt.Errorf("write %d bytes at %d: %w", r.n, r.off, err)
	}
	return nil
}

// fetch reads a piece of an interval from the log, wherever that has it by now.
func (a *Array) fetch(iv *interval, x piece, p []byte) error {
	for {
		a.mu.Lock()
		at := iv.at(x.seq)
		a.mu.Unlock()
		if err := a.opts.Log.ReadAt(p, at, x.skip); !errors.Is(err, writelog.ErrGone) {
			return err
		}
		a.mu.Lock()
		moved := iv.at(x.seq) != at
		a.mu.Unlock()
		if !moved {
			return errLeftBehind
		}
	}
}
