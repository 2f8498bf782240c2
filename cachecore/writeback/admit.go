package writeback

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// The shares of the room that are used where writes begin to be paced, where they have the destager's rate, and where they wait.
const (
	paceFrom = 0.70
	paceTo   = 0.90
	stopAt   = 0.97
)

// overhead is what a record takes of the room beside its data, roughly.
const overhead = 512

// fill is the share of the room that is used: of the volume's own, or of the log's.
func (a *Array) fill() float64 {
	used, capacity := a.opts.Log.Space()
	share := float64(used) / float64(max(capacity, 1))
	if a.opts.Cap > 0 {
		a.mu.Lock()
		share = max(share, float64(a.backlog())/float64(a.opts.Cap))
		a.mu.Unlock()
	}
	return share
}

// backlog is the bytes of the records that the array doesn't have. a.mu is held.
func (a *Array) backlog() (bytes int64) {
	for _, iv := range a.mu.intervals {
		bytes += iv.size + overhead*iv.records
	}
	return bytes
}

// admit lets a change go on when its turn has come: while the mode changes it waits, as the room gets short it is paced, and without room it waits.
func (a *Array) admit(ctx context.Context, n int64) error {
	if err := a.gate(ctx); err != nil {
		return err
	}
	for {
		fill := a.fill()
		switch {
		case a.state() == Draining:
			return a.pace.wait(ctx, n, a.rate.incoming()/2)
		case a.state() != Back || fill < paceFrom:
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

// gate waits while writes are held.
func (a *Array) gate(ctx context.Context) error {
	for {
		a.mu.Lock()
		shut := a.mu.shut
		a.mu.Unlock()
		if shut == nil {
			return nil
		}
		select {
		case <-shut:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// roomier waits until an interval has gone.
func (a *Array) roomier(ctx context.Context) error {
	a.mu.Lock()
	retired := a.mu.retired
	a.poke()
	a.mu.Unlock()
	select {
	case <-retired:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no room in the write log: %w", ctx.Err())
	}
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
