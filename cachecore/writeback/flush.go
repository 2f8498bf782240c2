package writeback

import (
	"context"
	"fmt"
	"slices"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// Flush implements cachecore.Array. What a durable log has answered is durable; else the array has it, and has flushed it, when this returns. The same is
// true of what an earlier life has answered, of which nobody knows how: until a flush has covered it the array is asked, whatever the mode is (PROTOCOL E2).
func (a *Array) Flush(ctx context.Context) error {
	a.mu.Lock()
	written, covered := a.mu.written, a.mu.settled && a.mu.written == a.mu.flushed
	a.mu.Unlock()
	if !a.opts.Durable {
		if err := a.sync(ctx); err != nil {
			return err
		}
	}
	if !covered {
		if err := a.flushBelow(ctx, written); err != nil {
			return err
		}
	}
	_, err := a.Mode() // what was acknowledged is not durable if it is lost
	return err
}

// flushBelow has the array flush all that it has answered, of which written changes were in this life.
func (a *Array) flushBelow(ctx context.Context, written uint64) error {
	if err := a.below.Flush(ctx); err != nil {
		a.unkept(ctx, err)
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.flushed = max(a.mu.flushed, written)
	a.settledNow()
	return nil
}

// unkept notes that the array has failed a flush. It may say so once, and to nobody who waits for it; and what it has not kept may be what an earlier life has
// answered, until a flush has covered that.
func (a *Array) unkept(ctx context.Context, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.unkept = a.mu.unkept || !a.mu.settled && refuses(err) && ctx.Err() == nil
}

// settledNow notes that a flush has covered what an earlier life may have changed directly. a.mu is held.
func (a *Array) settledNow() { a.mu.settled, a.mu.unkept = true, false }

// cover has the array flush what an earlier life has answered, before a client asks: one that does while the array is away would have to wait for it.
func (a *Array) cover(ctx context.Context) error {
	a.mu.Lock()
	written, settled := a.mu.written, a.mu.settled
	a.mu.Unlock()
	if settled {
		return nil
	}
	return a.flushBelow(ctx, written)
}

// Drain waits until the array has all that was answered before.
func (a *Array) Drain(ctx context.Context) error { return a.sync(ctx) }

// maxIntervals bounds how many there are while the array is away, and those who wait for it give up and come again: reads look into each.
const maxIntervals = 64

// sync waits until the array has, and has flushed, all records that were answered before, and they don't count any more: a replay does not undo what is
// done to the array afterwards. It fails if the array refuses them; one that is away is waited for.
func (a *Array) sync(ctx context.Context) error {
	a.mu.Lock()
	last := a.due()
	a.mu.Unlock()
	return a.gone(ctx, last, false)
}

// due is cut, unless there are many intervals by now: the open one is shared with what comes later then, and closed when its turn comes. a.mu is held.
func (a *Array) due() *interval {
	open := a.open()
	if open.records == 0 || len(a.mu.intervals) < maxIntervals { // one without records might never have any
		return a.cut()
	}
	open.awaited = true
	a.poke()
	return open
}

// cut closes the open interval and returns the last of which the array, or the log, has not said that it is done; nil: there is none. a.mu is held.
func (a *Array) cut() *interval {
	a.closeOpen()
	before := slices.Concat(a.mu.untrimmed, a.mu.intervals[:len(a.mu.intervals)-1])
	if len(before) == 0 {
		return nil
	}
	a.poke()
	return before[len(before)-1]
}

// gone waits until an interval, and with it all before it, is done; unlessAway: or until the array is found to be away.
func (a *Array) gone(ctx context.Context, last *interval, unlessAway bool) error {
	if last == nil {
		_, err := a.Mode()
		return err
	}
	for {
		a.mu.Lock()
		gone := !slices.Contains(a.mu.intervals, last) && !slices.Contains(a.mu.untrimmed, last)
		lost, retired := a.mu.mode == Lost, a.mu.retired
		cause, stuck := a.mu.cause, a.mu.stuck
		a.mu.Unlock()
		switch {
		case gone:
			return nil
		case lost:
			return cause
		case refuses(stuck):
			return fmt.Errorf("the array refuses what has been acknowledged: %w", stuck)
		case stuck != nil && unlessAway:
			return stuck
		}
		select {
		case <-retired:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Recover enters a record that the log has from an earlier life, in its order, before the first call. They are carried to the array as one
// interval, so that it never goes back to older content of a block (PROTOCOL E5).
func (a *Array) Recover(r writelog.Record, at writelog.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	iv, size := a.open(), int64(0)
	switch r.Kind {
	case writelog.Write:
		iv.index.put(r.Off, r.Len, r.Seq)
		size = r.Len
	case writelog.Zero, writelog.Unmap:
		iv.index.zero(r.Off, r.Len, r.Kind == writelog.Unmap)
	case writelog.Resize:
		iv.index.resize(r.Off, r.Len, a.stretch)
	}
	iv.answered(r.Seq, size)
	a.mu.backlog += size + overhead
	iv.place(r.Seq, at)
	a.mu.seq = max(a.mu.seq, r.Seq)
	if a.mu.mode == Through { // there is something to be carried first
		a.mu.mode = Draining
	}
}

// Moved takes in that the log has copied a record's data to another place, after it has answered the record.
func (a *Array) Moved(seq cachecore.Seq, to writelog.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, iv := range a.mu.intervals {
		if seq >= iv.first && uint64(seq-iv.first) < uint64(len(iv.places)) {
			iv.place(seq, to)
		}
	}
}

// Unflushed says whether the array has answered changes, directly, that no flush has covered: in this life, or in an earlier one, as a failed flush tells.
func (a *Array) Unflushed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.written > a.mu.flushed || a.mu.unkept
}

// Status is what an array tells of itself.
type Status struct {
	Requested, Effective Mode
	Reason               string        // why they differ, or why the destager gets no further
	Dirty                int64         // bytes that the array doesn't have
	Oldest               time.Duration // the age of the oldest of them
	Left                 time.Duration // that carrying them to the array may take; 0: not known
	Held                 bool          // by a barrier
}

// Status returns the present state.
func (a *Array) Status() Status {
	rate := a.rate.incoming()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{Requested: a.mu.wanted, Effective: a.mu.mode, Reason: a.mu.reason, Dirty: a.mu.backlog, Held: time.Now().Before(a.heldUntil())}
	if first := a.mu.intervals[0]; first.records > 0 {
		s.Oldest = time.Since(first.began)
	}
	if rate > 0 {
		s.Left = time.Duration(float64(s.Dirty) / rate * float64(time.Second))
	}
	if a.mu.cause != nil {
		s.Reason = a.mu.cause.Error()
	}
	return s
}
