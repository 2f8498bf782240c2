package iscsi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// op is one command of a caller, issued until its answer is final. It is used again; its command is never zeroed as a whole, since a
// session may still look whether it has it.
type op struct {
	command initiator.Command
	flight
	changes bool    // it changes the medium
	flush   bool    // it is a flush
	record  *change // of what is retained; nil: nothing
	mark    mark    // of a flush: the moment of its latest launch

	kind     kind // of a change, with its range in bytes
	off, len int64
	fua      bool // it is durable when it is answered, whatever cache the array has
}

func (a *Array) newOp(changes bool) *op {
	o, ok := a.ops.Get().(*op)
	if !ok {
		o = &op{flight: flight{turn: make(chan error, 1)}}
	}
	o.command.LUN, o.changes, o.flush, o.record = a.opts.LUN, changes, false, nil
	return o
}

func (a *Array) recycle(o *op) {
	o.command.In, o.command.Out, o.session, o.path = nil, nil, nil, nil
	a.ops.Put(o)
}

// The bounds of issuing again.
const (
	maxRetries = 5   // of what the array gave up, or refused for a reservation that seems to be ours
	maxAgain   = 100 // of what it did not execute, without saying why that would end
	maxLosses  = 8   // of the session, by an op that is older than Options.Patience: it may be the cause
)

var errShort = errors.New("fewer bytes than asked for were transferred")

// run issues o until its answer is final.
func (a *Array) run(ctx context.Context, o *op) error {
	t := tries{patience: a.opts.Patience}
	maybe := false
	for {
		err := a.enter(ctx, o)
		if err == nil {
			err = o.session.Do(ctx, &o.command)
			if err == nil && short(&o.command) {
				err = errShort
			}
			v := a.land(o, judge(ctx, err, o.changes))
			if v.do == settle {
				return nil
			}
			maybe = maybe || v.maybe
			err = t.next(ctx, a.life, v, err)
		}
		if err != nil {
			return a.unsettled(o, err, maybe)
		}
	}
}

// enter launches o, having retained it if it may be lost after its answer.
func (a *Array) enter(ctx context.Context, o *op) error {
	for {
		if err := a.takeOff(ctx, o); err != nil || !a.unnoted(o) {
			return err
		}
		a.land(o, verdict{do: again})
		if err := a.retain(ctx, o); err != nil {
			return err
		}
	}
}

// unnoted says whether the array may lose what o changes though it was noted as durable: the write cache has been turned on since. While o flies
// the array isn't measured, so that is the last word for this flight.
func (a *Array) unnoted(o *op) bool {
	return o.changes && o.record == nil && !o.fua && a.info.Load().WriteCache
}

// short says whether blocks are missing that were to be moved. What else has a residual is done all the same: tgtd says of a parameter list
// that it has taken none of it.
func short(c *initiator.Command) bool {
	const read16, write16 = 0x88, 0x8a
	return c.Residual > 0 && (c.CDB[0] == read16 || c.CDB[0] == write16)
}

// unsettled is the end of an op without success.
func (a *Array) unsettled(o *op, err error, maybe bool) error {
	if o.record != nil {
		a.retained.forget(o.record, maybe)
	}
	if maybe && !errors.Is(err, cachecore.ErrUnavailable) && !errors.Is(err, cachecore.ErrUnknownOutcome) {
		err = fmt.Errorf("%w: %w", cachecore.ErrUnknownOutcome, err)
	}
	return err
}

// land accounts a flight's end: what was answered counts before the flight is over, what is amiss before another can begin. The verdict that it
// returns is the last word: a read that ends behind the news of a reset may have seen the medium without what is to be written again.
func (a *Array) land(o *op, v verdict) verdict {
	if v.do == settle && o.record != nil {
		a.retained.answer(o.record)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if v.inDoubt {
		a.doubt(o.path, o.session)
	}
	if v.do == settle && !o.changes && !o.flush && a.mu.state != serving && a.mu.todo.rewrite {
		v.do = again
	}
	switch v.do {
	case settle:
		a.mu.window.good()
	case busy:
		a.mu.window.busy(o.ticket, a.mu.flights.ticket)
	case repair:
		t := todo{abandon: o.session, rewrite: true}
		if v.unsent { // it may be about to log out, with others still to be answered
			t.abandon = nil
		}
		a.begin(t, "the session was lost")
	case giveUp:
		if v.inDoubt {
			a.begin(todo{abandon: o.session, rewrite: true}, "the session was given up")
		}
	case reset:
		a.retained.doubtReads()
		a.begin(todo{abort: true, rewrite: true}, "the array was reset")
	case measure, identify, conflict:
		a.begin(todo{}, "the array has news")
	case repath:
		a.begin(todo{regroup: true}, "the path is no longer active")
	}
	a.ground(o)
	a.admit()
	return v
}

// tries counts the issues of one op.
type tries struct {
	patience                              time.Duration
	since                                 time.Time // the first that did not settle it
	retries, repeats, waits, idle, losses int
}

// next says whether to issue the op again, having waited where that is due: nil, or the final answer. life ends with the array.
func (t *tries) next(ctx, life context.Context, v verdict, err error) error {
	if t.since.IsZero() {
		t.since = time.Now()
	}
	late := time.Since(t.since) >= t.patience
	switch v.do {
	case giveUp, refuse:
		return v.err
	case retry, conflict:
		if t.retries++; t.retries > maxRetries {
			return t.exhausted(v, err)
		}
	case again, measure, identify, reset:
		if t.repeats++; t.repeats > maxAgain {
			return t.exhausted(v, err)
		}
	case repair:
		if t.losses++; t.losses >= maxLosses && late {
			return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, err)
		}
	case unready, repath:
		if late {
			return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, err)
		}
		t.idle++
		return rest(ctx, life, pause(t.idle))
	case busy:
		t.waits++
		return rest(ctx, life, pause(t.waits))
	}
	return nil
}

// exhausted is the answer when issuing again does not help. That of a reservation may yet end, others are the array's last word.
func (t *tries) exhausted(v verdict, err error) error {
	if v.do == conflict {
		return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, err)
	}
	return err
}

// rest waits, unless the call or the array ends before.
func rest(ctx, life context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-life.Done():
		return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, errClosed)
	}
}
