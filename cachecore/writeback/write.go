package writeback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// WriteAt implements cachecore.Array.
func (a *Array) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	if err := a.check(off, int64(len(p))); err != nil || len(p) == 0 {
		return err
	}
	most := a.mostData()
	for len(p) > 0 {
		part := p[:min(len(p), most)]
		r := writelog.Record{Kind: writelog.Write, Off: off, Len: int64(len(part))}
		at := off
		err := a.change(ctx, r, part, o.FUA, func(ctx context.Context) error { return a.below.WriteAt(ctx, part, at, o) })
		if err != nil {
			return err
		}
		p, off = p[len(part):], off+int64(len(part))
	}
	return nil
}

// Unmap implements cachecore.Array. What was unmapped in the log is zeros; so it can be refused only where the array knows no unmap.
func (a *Array) Unmap(ctx context.Context, off, length int64) error {
	if err := a.check(off, length); err != nil || length == 0 {
		return err
	}
	if !a.below.Info().UnmapZeroes {
		return a.directly(ctx, func(ctx context.Context) error { return a.below.Unmap(ctx, off, length) })
	}
	r := writelog.Record{Kind: writelog.Unmap, Off: off, Len: length}
	return a.change(ctx, r, nil, false, func(ctx context.Context) error { return a.below.Unmap(ctx, off, length) })
}

// WriteZeroes implements cachecore.Zeroer.
func (a *Array) WriteZeroes(ctx context.Context, off, length int64, unmap bool) error {
	if err := a.check(off, length); err != nil || length == 0 {
		return err
	}
	kind := writelog.Zero
	if unmap && a.below.Info().UnmapZeroes {
		kind = writelog.Unmap
	}
	r := writelog.Record{Kind: kind, Off: off, Len: length}
	return a.change(ctx, r, nil, false, func(ctx context.Context) error {
		z, ok := a.below.(cachecore.Zeroer)
		if !ok {
			return cachecore.ErrUnsupported
		}
		return z.WriteZeroes(ctx, off, length, unmap)
	})
}

// check refuses what the array would refuse: what has been acknowledged can be carried there.
func (a *Array) check(off, n int64) error {
	info := a.below.Info()
	if block := int64(max(info.LogicalBlock, 1)); off%block != 0 || n%block != 0 {
		return fmt.Errorf("%d bytes at %d: not multiples of %d", n, off, block)
	}
	if off < 0 || n < 0 || n > info.Size || off > info.Size-n {
		return fmt.Errorf("%d bytes at %d: %w", n, off, cachecore.ErrOutOfRange)
	}
	return nil
}

// errHeld: writes wait.
var errHeld = errors.New("held")

// nextMode gives the destager time to shut the gate, or waits no longer if it has; false if ctx has ended.
func (a *Array) nextMode(ctx context.Context) bool {
	a.mu.Lock()
	shut := a.mu.shut
	a.poke()
	a.mu.Unlock()
	return shut != nil || sleep(ctx, time.Millisecond)
}

// directly is for what is not logged, and may be left undone: it waits until the array has all of the log, and keeps out of it as long. Who writes there
// meanwhile waits for it. So it is not waited for an array that is away while that is no matter to writes.
func (a *Array) directly(ctx context.Context, call func(context.Context) error) error {
	a.mu.Lock()
	last := a.due()
	a.mu.Unlock()
	err := a.gone(ctx, last, true)
	if err == nil {
		err = call(ctx)
	}
	away := errors.Is(err, cachecore.ErrUnavailable) && !errors.Is(err, cachecore.ErrUnknownOutcome)
	if m := a.state(); away && (m == Back || m == Draining) {
		return fmt.Errorf("left undone: %w (%v)", cachecore.ErrUnsupported, err) //nolint:errorlint // it is not to be tried again
	}
	return err
}

// change logs a record, or has the array execute what it stands for where the mode says so.
func (a *Array) change(ctx context.Context, r writelog.Record, p []byte, fua bool, direct func(context.Context) error) error {
	for {
		if err := a.admit(ctx, int64(len(p))); err != nil {
			return err
		}
		t, err := a.begin(r, p, nil)
		switch {
		case errors.Is(err, errHeld):
			if !a.nextMode(ctx) {
				return ctx.Err()
			}
			continue
		case errors.Is(err, writelog.ErrFull): // there was room a moment ago
			if err := a.roomier(ctx); err != nil {
				return err
			}
			continue
		case errors.Is(err, errLog): // and again, in another mode
			continue
		case err != nil:
			return err
		case t == nil: // the mode is through
			err := direct(ctx)
			a.endDirect(err)
			return err
		}
		err = <-t.done
		a.tickets.Put(t)
		switch {
		case err == nil && fua && !a.opts.Durable:
			return a.sync(ctx)
		case err != nil:
			a.logFailed(err) // and again, in another mode
		default:
			return nil
		}
	}
}

// ticket is a record on its way into the log.
type ticket struct {
	array    *Array
	interval *interval
	record   writelog.Record
	size     int64 // of its data
	data     [1][]byte
	done     chan error  // of who waits
	tell     func(error) // of who doesn't; else nil
	answer   func(writelog.Position, error)
}

func newTicket() any {
	t := &ticket{done: make(chan error, 1)}
	t.answer = t.answered
	return t
}

// begin appends a record; nil: the array is to be asked directly, until endDirect. The outcome is for the ticket's channel, or for tell: then it may
// wait for Kick.
func (a *Array) begin(r writelog.Record, p []byte, tell func(error)) (*ticket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.mu.mode == Lost:
		return nil, a.mu.cause
	case a.mu.mode == Through:
		a.mu.direct++
		return nil, nil
	case a.mu.shut != nil || a.mu.mode == Dead: // since it was let go on
		return nil, errHeld
	case a.capped(int64(len(p))):
		return nil, writelog.ErrFull
	}
	a.mu.seq++
	r.Shard, r.Name, r.Epoch, r.Seq = a.opts.Shard, a.opts.Name, a.mu.epoch, a.mu.seq
	t := a.tickets.Get().(*ticket)
	t.array, t.interval, t.record, t.size, t.tell = a, a.open(), r, int64(len(p)), tell
	t.interval.pending++
	a.mu.backlog += t.size + overhead
	var data [][]byte
	if p != nil {
		t.data[0] = p
		data = t.data[:]
	}
	call := a.opts.Log.Append
	if tell != nil {
		call = a.opts.Log.AppendLater
	}
	if err := call(r, data, t.answer); err != nil {
		a.mu.seq--
		t.data[0] = nil
		a.leave(t)
		a.tickets.Put(t)
		if !errors.Is(err, writelog.ErrFull) {
			a.failed(err)
			err = errLog
		}
		return nil, err
	}
	return t, nil
}

// errLog: the log takes nothing any more.
var errLog = errors.New("the write log has failed")

// answered takes the outcome from the log, in the order of the records, and enters it before anybody is told.
func (t *ticket) answered(at writelog.Position, err error) {
	if t.data[0] = nil; err == nil {
		t.array.enter(t, at)
	} else {
		t.array.mu.Lock()
		t.array.leave(t)
		t.array.mu.Unlock()
	}
	tell := t.tell
	if tell == nil {
		t.done <- err
		return
	}
	if err != nil {
		t.array.logFailed(err)
	}
	t.array.tickets.Put(t)
	tell(err)
}

// enter notes a record that is durable now.
func (a *Array) enter(t *ticket, at writelog.Position) {
	r, iv := &t.record, t.interval
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.Kind {
	case writelog.Write:
		iv.index.put(r.Off, r.Len, r.Seq)
	case writelog.Zero, writelog.Unmap:
		iv.index.zero(r.Off, r.Len, r.Kind == writelog.Unmap)
	case writelog.Resize:
		iv.index.resize(r.Off, r.Len, a.stretch)
	}
	iv.place(r.Seq, at)
	iv.answered(r.Seq, t.size)
	if iv.records == 1 || iv.size >= a.mu.limit {
		a.poke()
	}
	iv.left()
}

// leave notes that a record is not in the log after all. a.mu is held.
func (a *Array) leave(t *ticket) {
	a.mu.backlog -= t.size + overhead
	t.interval.left()
}

// endDirect is the end of a change that the array executed.
func (a *Array) endDirect(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.direct--
	if err == nil {
		a.mu.written++
	}
}
