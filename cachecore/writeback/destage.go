package writeback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"forebay/cachecore"
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
			if a.cover(ctx) != nil {
				wait = min(wait, time.Second)
			}
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
	if until := a.heldUntil(); now.Before(until) {
		return nil, until.Sub(now)
	}
	oldest := a.mu.intervals[0]
	switch {
	case oldest.closed:
		return oldest, 0
	case oldest.records == 0:
		return nil, idlePause
	case !oldest.awaited && oldest.size < a.mu.limit && !a.short.Load() && a.mu.mode == Back && now.Sub(oldest.began) < a.opts.IntervalAge:
		return nil, a.opts.IntervalAge - now.Sub(oldest.began)
	}
	a.short.Store(false)
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
	var start time.Time
	for told := ""; ; {
		start = time.Now() // how long the array was away before says nothing of its rate
		err := a.destage(ctx, iv)
		if err == nil {
			break
		}
		if ctx.Err() != nil || a.state() == Lost {
			return a.state() == Lost && ctx.Err() == nil && a.pause(ctx, idlePause)
		}
		text := err.Error()
		once := text != told && errors.Is(err, ErrAgain)
		if text != told {
			told = text
			a.log.Warn().Err(err).Int64("bytes", iv.size).Msg("what has been acknowledged can't be carried to the array; trying again")
		}
		if !once {
			a.stick(err)
		}
		pause := retryAway
		if refuses(err) {
			pause = retryRefuse
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
	a.stick(nil)
	if took := time.Since(start); iv.size > 0 {
		a.rate.carried(iv.size, took)
	} else {
		a.rate.cleared(iv.records, took)
	}
	return a.retire(ctx, iv)
}

// stick notes why an interval can't be carried, or that one has been. Who waits for room is told.
func (a *Array) stick(err error) {
	a.blocked(err)
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.mu.stuck
	if a.mu.stuck = err; err != nil && (before == nil || refuses(err) != refuses(before)) {
		a.stir()
	}
}

// refuses says whether an array that does not take an interval is there.
func refuses(err error) bool { return err != nil && !errors.Is(err, cachecore.ErrUnavailable) }

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
	limit := a.opts.limit(a.rate.incoming())
	a.mu.Lock()
	a.mu.limit = limit
	a.mu.intervals = a.mu.intervals[1:]
	a.mu.backlog -= iv.size + overhead*iv.records
	a.beginHolds(iv)
	a.mu.untrimmed = append(a.mu.untrimmed, iv)
	free := iv.retire()
	a.mu.Unlock()
	select {
	case <-free:
	case <-ctx.Done():
		return false
	}
	var err error
	if iv.records > 0 {
		if err = a.opts.Log.Trim(a.opts.Shard, iv.upto); err != nil {
			a.logFailed(err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.mu.untrimmed = slices.DeleteFunc(a.mu.untrimmed, func(x *interval) bool { return x == iv || x.upto <= iv.upto })
	}
	a.stir()
	return true
}

// stir has all look again who wait for an interval to go. a.mu is held.
func (a *Array) stir() {
	close(a.mu.retired)
	a.mu.retired = make(chan struct{})
}

// destage is one attempt at an interval: what reads as zeros first, and where objects end, as data may lie over it, then the data, then a flush (PROTOCOL E1).
func (a *Array) destage(ctx context.Context, iv *interval) error {
	before := a.life()
	a.mu.Lock()
	written := a.mu.written
	a.mu.Unlock()
	for _, s := range iv.index.bare {
		if err := a.clear(ctx, s); err != nil {
			return fmt.Errorf("clear %d bytes at %d: %w", s.to-s.from, s.from, err)
		}
	}
	if err := a.setEnds(ctx, iv); err != nil {
		return fmt.Errorf("set the ends of objects: %w", err)
	}
	if err := a.transfer(ctx, iv); err != nil {
		return err
	}
	if err := a.below.Flush(ctx); err != nil {
		a.unkept(ctx, err)
		return fmt.Errorf("flush: %w", err)
	}
	if a.life() != before {
		return errNewLife
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.flushed = max(a.mu.flushed, written) // what was written directly before the mode changed, too
	a.settledNow()
	return nil
}

// ErrAgain is how an array says that it is there, and that an interval has to be written to it again. Nobody is told unless it says so twice.
var ErrAgain = fmt.Errorf("what was written has to be written again: %w", cachecore.ErrUnavailable)

// errNewLife: the flush may not have covered all that was written (PROTOCOL E1).
var errNewLife = fmt.Errorf("the array has restarted meanwhile: %w", ErrAgain)

// Lives is an array that may forget, while it is away, what it answered and was not asked to flush: Life is another number then, before anything is
// answered again.
type Lives interface{ Life() uint64 }

func (a *Array) life() uint64 {
	if l, ok := a.below.(Lives); ok {
		return l.Life()
	}
	return 0
}
