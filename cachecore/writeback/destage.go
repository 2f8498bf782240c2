package writeback

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// The pauses between two attempts to carry an interval to the array.
const (
	retryAway   = 100 * time.Millisecond // it is away
	retryRefuse = 5 * time.Second        // it refuses
)

// Run is the destager: it carries intervals to the array until ctx ends.
func (a *Array) Run(ctx context.Context) {
	for {
		wait := idlePause
		if err := a.settle(ctx); err != nil {
			a.blocked(err)
			wait = time.Second
		}
		iv, until := a.next(time.Now())
		wait = min(wait, until)
		if iv == nil {
			if !a.pause(ctx, wait) {
				return
			}
			continue
		}
		if !a.carry(ctx, iv) {
			return
		}
	}
}

// pause waits for something to look at, or until a time; false if ctx has ended.
func (a *Array) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.mu.poked:
	case <-ctx.Done():
		return false
	}
	return true
}

// idlePause is how long the destager looks away when it knows nothing to wait for.
const idlePause = time.Minute

// next returns the oldest interval if it is to be carried now, closing the open one if it is that; else how long to wait.
func (a *Array) next(now time.Time) (*interval, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.mu.hold) {
		return nil, a.mu.hold.Sub(now)
	}
	oldest := a.mu.intervals[0]
	switch {
	case oldest.closed:
		return oldest, 0
	case oldest.records == 0:
		return nil, idlePause
	case oldest.size < a.opts.IntervalSize && a.mu.mode == Back && now.Sub(oldest.began) < a.opts.IntervalAge:
		return nil, a.opts.IntervalAge - now.Sub(oldest.began)
	}
	a.closeOpen()
	return oldest, 0
}

// closeOpen closes the open interval, if it has anything, and opens another. a.mu is held.
func (a *Array) closeOpen() {
	if iv := a.open(); iv.records > 0 || iv.pending > 0 {
		iv.close()
		a.mu.intervals = append(a.mu.intervals, newInterval())
	}
}

// carry carries an interval to the array and trims the log, trying until it succeeds or ctx ends; false then.
func (a *Array) carry(ctx context.Context, iv *interval) bool {
	select {
	case <-iv.quiet:
	case <-ctx.Done():
		return false
	}
	start := time.Now()
	for told := ""; ; {
		err := a.destage(ctx, iv)
		if err == nil {
			break
		}
		if ctx.Err() != nil || a.state() == Lost {
			a.rate.end(0, 0)
			return a.state() == Lost && ctx.Err() == nil && a.pause(ctx, idlePause)
		}
		if text := err.Error(); text != told {
			told = text
			a.log.Warn().Err(err).Int64("bytes", iv.size).Msg("what has been acknowledged can't be carried to the array; trying again")
		}
		a.blocked(err)
		pause := retryRefuse
		if errors.Is(err, cachecore.ErrUnavailable) {
			pause = retryAway
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
	a.blocked(nil)
	a.rate.end(iv.size, time.Since(start))
	return a.retire(ctx, iv)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retire makes an interval that the array has one that is found no more, and then gives its room in the log back.
func (a *Array) retire(ctx context.Context, iv *interval) bool {
	a.mu.Lock()
	a.mu.intervals = a.mu.intervals[1:]
	if a.mu.holdAfter == iv {
		a.mu.hold, a.mu.holdAfter = time.Now().Add(a.mu.holdFor), nil
	}
	free := iv.retire()
	a.mu.Unlock()
	select {
	case <-free:
	case <-ctx.Done():
		return false
	}
	if iv.records > 0 {
		if err := a.opts.Log.Trim(a.opts.Shard, iv.upto); err != nil {
			a.logFailed(err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.mu.retired)
	a.mu.retired = make(chan struct{})
	return true
}

// destage is one attempt at an interval: what reads as zeros first, as data may lie over it, then the data, then a flush (PROTOCOL E1).
func (a *Array) destage(ctx context.Context, iv *interval) error {
	parallel := a.rate.begin()
	before := a.life()
	for _, s := range iv.index.bare {
		if err := a.clear(ctx, s); err != nil {
			return fmt.Errorf("clear %d bytes at %d: %w", s.to-s.from, s.from, err)
		}
	}
	if err := a.transfer(ctx, iv, parallel); err != nil {
		return err
	}
	if err := a.below.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	if a.life() != before {
		return errNewLife
	}
	return nil
}

// errNewLife: the flush may not have covered all that was written (PROTOCOL E1).
var errNewLife = fmt.Errorf("the array has restarted meanwhile: %w", cachecore.ErrUnavailable)

// Lives is an array that may forget, while it is away, what it answered and was not asked to flush: Life is another number then, before anything is
// answered again.
type Lives interface{ Life() uint64 }

func (a *Array) life() uint64 {
	if l, ok := a.below.(Lives); ok {
		return l.Life()
	}
	return 0
}

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

// transfer writes an interval's data, a number of transfers at a time.
func (a *Array) transfer(ctx context.Context, iv *interval, parallel int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runs := make(chan run)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for r := range runs {
				if err := a.move(ctx, iv, r); err != nil {
					cancel(err)
				}
			}
		})
	}
	iv.index.runs(maxTransfer, func(r run) bool {
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
			return writelog.ErrGone
		}
	}
}
