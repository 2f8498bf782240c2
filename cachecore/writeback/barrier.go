package writeback

import (
	"context"
	"slices"
	"time"
)

// hold keeps the destager from beginning an interval. Each barrier has its own: whoever relies on one knows nothing of the others.
type hold struct {
	after *interval // it begins when that has gone; nil: it has begun
	lasts time.Duration
	until time.Time
}

func (h *hold) begin() { h.after, h.until = nil, time.Now().Add(h.lasts) }

// Barrier waits until the array has all that was answered before, and has the destager begin nothing from then on until the hold is over, or Release is
// called: a snapshot of the array taken meanwhile is a state that the client could have seen. The holds of other barriers go on.
func (a *Array) Barrier(ctx context.Context, lasts time.Duration) error {
	h := &hold{lasts: lasts}
	a.mu.Lock()
	last := a.cut() // in one with the hold: what is written afterwards waits for its end, and the barrier would too
	if n := len(a.mu.intervals); n > 1 {
		h.after = a.mu.intervals[n-2]
	} else {
		h.begin()
	}
	a.mu.holds = append(a.mu.holds, h)
	a.mu.Unlock()
	err := a.gone(ctx, last, false)
	if err != nil {
		a.release(func(other *hold) bool { return other == h })
	}
	return err
}

// Release ends all holds.
func (a *Array) Release() { a.release(func(*hold) bool { return true }) }

func (a *Array) release(which func(*hold) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.holds = slices.DeleteFunc(a.mu.holds, which)
	a.poke()
}

// beginHolds comes when an interval has gone. a.mu is held.
func (a *Array) beginHolds(gone *interval) {
	for _, h := range a.mu.holds {
		if h.after == gone {
			h.begin()
		}
	}
}

// heldUntil is when the last of the holds that have begun is over, and forgets those that are. a.mu is held.
func (a *Array) heldUntil() (until time.Time) {
	now := time.Now()
	a.mu.holds = slices.DeleteFunc(a.mu.holds, func(h *hold) bool { return h.after == nil && !now.Before(h.until) })
	for _, h := range a.mu.holds {
		if until.Before(h.until) {
			until = h.until
		}
	}
	return until
}
