package writeback

import (
	"context"
	"fmt"
	"sync"
	"time"

	"forebay/cachecore"
)

// The shares of the room that are used where writes begin to be paced, where they have the destager's rate, and where they wait.
const (
	paceFrom = 0.70
	paceTo   = 0.90
	stopAt   = 0.97
)

// overhead is what a record takes of the room beside its data, roughly.
const overhead = 512

// maxAge is how old the oldest record that the array doesn't have may get before writes are paced, as they are at paceFrom: so the array doesn't fall behind
// by much more, however large the log is. It is longer than an array needs to come back after a restart, and a barrier's usual hold.
const maxAge = time.Minute

// pressure returns the mode, and the share of the room that is used: of the volume's own, or of the log's. Age counts as room does, but for
// that it never makes writes wait: they go on at the destager's rate, in which they don't get older.
func (a *Array) pressure() (Mode, float64) {
	used, capacity := a.opts.Log.Space()
	share := float64(used) / float64(max(capacity, 1))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.opts.Cap > 0 {
		share = max(share, float64(a.mu.backlog)/float64(a.opts.Cap))
	}
	if first := a.mu.intervals[0]; first.records > 0 {
		share = max(share, min(paceTo, paceFrom*float64(time.Since(first.began))/float64(maxAge)))
	}
	if share >= paceFrom && !a.short.Swap(true) {
		a.poke()
	}
	return a.mu.mode, share
}

// capped says whether a record would exceed the volume's own room. One that is larger than all of that is taken when there is no other. a.mu is held.
func (a *Array) capped(n int64) bool {
	return a.opts.Cap > 0 && a.mu.backlog > 0 && a.mu.backlog+n+overhead > a.opts.Cap
}

// admit lets a change go on when its turn has come: while the mode changes it waits, as the room gets short it is paced, and without room it waits.
func (a *Array) admit(ctx context.Context, n int64) error {
	if err := a.gate(ctx); err != nil {
		return err
	}
	for {
		mode, fill := a.pressure()
		switch {
		case mode == Draining:
			return a.pace.wait(ctx, n, a.rate.incoming()/2)
		case mode != Back || fill < paceFrom:
			return nil
		case fill < stopAt:
			ease := max(0, (paceTo-fill)/(paceTo-paceFrom))
			return a.pace.wait(ctx, n, a.rate.incoming()*(1+3*ease))
		}
		if err := a.roomier(ctx); err != nil {
			return err
		}
	}
}

func (a *Array) state() Mode {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.mode
}

// gate waits while writes are held. It fails while what they are held for can't go on.
func (a *Array) gate(ctx context.Context) error {
	for {
		a.mu.Lock()
		shut, stuck, stirred := a.mu.shut, a.mu.stuck, a.mu.retired
		a.mu.Unlock()
		switch {
		case shut == nil:
			return nil
		case stuck != nil:
			return noRoom(stuck)
		}
		select {
		case <-shut:
		case <-stirred:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lookAgain is how long a volume that has nothing in the log itself waits for others to leave some.
const lookAgain = 50 * time.Millisecond

// roomier waits until an interval has gone. It fails where none will, for now, as the array doesn't take it.
func (a *Array) roomier(ctx context.Context) error {
	a.mu.Lock()
	retired, stuck, others := a.mu.retired, a.mu.stuck, a.mu.backlog == 0
	a.poke()
	a.mu.Unlock()
	if stuck != nil {
		return noRoom(stuck)
	}
	var again <-chan time.Time
	if others {
		timer := time.NewTimer(lookAgain)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-retired:
	case <-again:
	case <-ctx.Done():
		return fmt.Errorf("no room in the write log: %w", ctx.Err())
	}
	return nil
}

// noRoom is what a change is told for which there is no room, as the array is away, or refuses what is to be carried to it: the latter is
// reported as the volume's being full, so that clients stop, and go on when that has been mended.
func noRoom(stuck error) error {
	if !refuses(stuck) {
		return fmt.Errorf("what is in the write log can't be carried to the array: %w", stuck)
	}
	return fmt.Errorf("no room in the write log (%w), and the array refuses what is in it: %w", cachecore.ErrNoSpace, stuck)
}

// pace spreads writes over time.
type pace struct {
	mu   sync.Mutex
	next time.Time // when the next may go
}

// longestPace bounds what one write waits for others.
const longestPace = time.Second

// assumedRate is that of an array, in bytes a second, that has not shown its own.
const assumedRate = 8 << 20

// wait waits for n bytes' turn at a rate in bytes a second; 0: it isn't known yet.
func (p *pace) wait(ctx context.Context, n int64, rate float64) error {
	if rate <= 0 {
		rate = assumedRate
	}
	now := time.Now()
	p.mu.Lock()
	if p.next.Before(now) {
		p.next = now
	}
	at := p.next
	if at.Sub(now) < longestPace {
		p.next = at.Add(time.Duration(float64(n+overhead) / rate * float64(time.Second)))
	}
	p.mu.Unlock()
	timer := time.NewTimer(min(at.Sub(now), longestPace))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
