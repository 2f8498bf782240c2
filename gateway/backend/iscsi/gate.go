package iscsi

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

var errClosed = errors.New("closed")

// flight is one issue of an op. The list of those under way is in the order of their tickets.
type flight struct {
	ticket     uint64
	session    *initiator.Session
	path       *path
	prev, next *op
	turn       chan error // nil: it has been launched; an error: it won't be
}

// flights is who flies and who waits to. Guarded by Array.mu.
type flights struct {
	first, last *op
	count       int
	ticket      uint64 // the latest
	line        []*op
	settlings   []settling
}

// settling waits until all flights up to a ticket have landed.
type settling struct {
	upTo uint64
	over chan struct{}
}

// takeOff launches o, when the array is served and has room. What it returns says why that won't be.
func (a *Array) takeOff(ctx context.Context, o *op) error {
	a.mu.Lock()
	f := &a.mu.flights
	switch {
	case a.mu.state == closed || a.mu.state == away:
		defer a.mu.Unlock()
		return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, a.mu.reason)
	case a.mu.state == serving && len(f.line) == 0 && f.count < a.mu.window.size:
		a.launch(o)
		a.mu.Unlock()
		return nil
	}
	f.line = append(f.line, o)
	a.mu.Unlock()
	select {
	case err := <-o.turn:
		return err
	case <-ctx.Done():
		a.withdraw(o)
		return ctx.Err()
	}
}

// withdraw takes o out of the line, or back to the ground when it was launched a moment ago.
func (a *Array) withdraw(o *op) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := &a.mu.flights
	if i := slices.Index(f.line, o); i >= 0 {
		f.line = slices.Delete(f.line, i, i+1)
		return
	}
	if <-o.turn == nil {
		a.ground(o)
		a.admit()
	}
}

// launch makes o one of the flights. a.mu is held, the array is served. The mark of a flush is taken here: once a.mu is given up the news of a
// reset may come, which begins an era that the flush does not count in.
func (a *Array) launch(o *op) {
	f := &a.mu.flights
	if o.flush {
		o.mark = a.retained.flushing()
	}
	f.ticket++
	o.ticket, o.session, o.path = f.ticket, a.mu.session, a.mu.path
	o.prev, o.next = f.last, nil
	if f.last == nil {
		f.first = o
	} else {
		f.last.next = o
	}
	f.last = o
	f.count++
}

// ground takes o out of the flights, and tells those who wait for that. a.mu is held.
func (a *Array) ground(o *op) {
	f := &a.mu.flights
	if o.prev == nil {
		f.first = o.next
	} else {
		o.prev.next = o.next
	}
	if o.next == nil {
		f.last = o.prev
	} else {
		o.next.prev = o.prev
	}
	o.prev, o.next = nil, nil
	f.count--
	f.settlings = slices.DeleteFunc(f.settlings, func(s settling) bool {
		if f.first != nil && f.first.ticket <= s.upTo {
			return false
		}
		close(s.over)
		return true
	})
}

// admit launches those in line for whom there is room. a.mu is held.
func (a *Array) admit() {
	f := &a.mu.flights
	for a.mu.state == serving && len(f.line) > 0 && f.count < a.mu.window.size {
		o := f.line[0]
		f.line = slices.Delete(f.line, 0, 1)
		a.launch(o)
		o.turn <- nil
	}
}

// turnAway ends the waiting of all in line. a.mu is held.
func (a *Array) turnAway(err error) {
	for _, o := range a.mu.flights.line {
		o.turn <- err
	}
	clear(a.mu.flights.line)
	a.mu.flights.line = a.mu.flights.line[:0]
}

// settled waits until every flight that is under way now has landed, or ctx ends.
func (a *Array) settled(ctx context.Context) error {
	a.mu.Lock()
	f := &a.mu.flights
	if f.first == nil {
		a.mu.Unlock()
		return nil
	}
	over := make(chan struct{})
	f.settlings = append(f.settlings, settling{f.ticket, over})
	a.mu.Unlock()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
