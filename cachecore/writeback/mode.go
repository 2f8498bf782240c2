package writeback

import (
	"context"
	"fmt"
	"time"
)

// Mode says when a write is answered.
type Mode int

// The modes; see the package's comment.
const (
	Through Mode = iota
	Back
	Draining
	Dead
	Lost
)

func (m Mode) String() string {
	return [...]string{"write-through", "write-back", "draining", "draining: the write log has failed", "offline: the write log has failed"}[m]
}

// SetMode asks for back or through. Back begins at once, unless the log is dead. Through begins when the array has all that was acknowledged: from
// now on the array drains (PROTOCOL B5).
func (a *Array) SetMode(m Mode) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.wanted = m
	switch {
	case a.mu.cause != nil:
		if m == Back {
			return fmt.Errorf("write-back is not to be had: %w", a.mu.cause)
		}
	case m == Back && a.mu.raising: // it ends as it has begun, and goes on as wanted
	case m == Back:
		a.mu.mode = Back
		a.unshut()
	case a.mu.mode == Back:
		a.mu.mode = Draining
		a.poke()
	}
	return nil
}

// finalHold is the time that what is left may take when writes are held for it.
const finalHold = 2 * time.Second

// settle is the destager's look at a change of mode: near its end writes are held, and when the array has everything the mode changes. The epoch that
// voids what the log has (PROTOCOL A2) comes before.
func (a *Array) settle(ctx context.Context) error {
	if !a.drained() {
		return nil
	}
	epoch, err := a.opts.Ledger.Raise(ctx)
	if err != nil {
		return fmt.Errorf("enter write-through: %w", err)
	}
	a.mu.Lock()
	dead := a.mu.mode == Dead
	a.mu.epoch, a.mu.raising = epoch, false
	a.mu.mode = Through
	if a.mu.wanted == Back && !dead { // asked for again meanwhile
		a.mu.mode = Back
	}
	a.mu.untrimmed = nil // they are below the base
	a.mu.reason = ""     // that it could not be raised before
	a.unshut()
	a.stir()
	a.mu.Unlock()
	a.log.Info().Stringer("mode", Through).Msg("the array has all that was acknowledged")
	if err := a.opts.Log.Void(a.opts.Shard, epoch); err != nil { // of a dead one too: it may be damaged only, and forgets that then
		a.logFailed(err)
	}
	return nil
}

// drained says whether the array has all records and no more can come, because writes are held: as soon as what is left takes little time, which it
// doesn't during a barrier's hold, or the log is dead.
func (a *Array) drained() bool {
	rate := a.rate.ending()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.mode != Draining && a.mu.mode != Dead {
		return false
	}
	left := float64(a.mu.backlog)
	near := left == 0 || len(a.mu.holds) == 0 && rate > 0 && left/rate < finalHold.Seconds()
	if near {
		a.holdWrites()
	}
	a.mu.raising = a.mu.raising || a.mu.shut != nil && len(a.mu.intervals) == 1 && a.open().records == 0 && a.open().pending == 0
	return a.mu.raising
}

// holdWrites has writes wait. a.mu is held.
func (a *Array) holdWrites() {
	if a.mu.shut == nil {
		a.mu.shut = make(chan struct{})
	}
}

// unshut lets writes go on. a.mu is held.
func (a *Array) unshut() {
	if a.mu.shut != nil {
		close(a.mu.shut)
		a.mu.shut = nil
	}
}

// logFailed is the end of the log: no record is appended to it any more, and what it has goes to the array.
func (a *Array) logFailed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed(err)
}

// failed is logFailed with a.mu held.
func (a *Array) failed(err error) {
	if a.mu.mode == Dead || a.mu.mode == Lost || a.mu.cause != nil {
		return
	}
	a.mu.cause = fmt.Errorf("the write log has failed: %w", err)
	a.log.Error().Err(err).Msg("the write log has failed: what it has is carried to the array, and writes wait for that")
	if a.mu.mode != Through {
		a.mu.mode = Dead
		a.holdWrites() // now: the destager may be with an interval that the array doesn't take, of which who is held is told
	}
	a.poke()
}

// Damaged takes in that the log has found records of the shard damaged, and so takes no more of them. What it has, and can still be read, is carried to
// the array, which then answers for itself; what can't be read makes it lost (PROTOCOL F2). In write-through there is nothing that counts.
func (a *Array) Damaged(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.mode != Through {
		a.failed(err)
	}
}

// Lose takes the array offline, as what was acknowledged can't be read from the log: until an operator decides, nothing is answered.
func (a *Array) Lose(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.mode == Lost {
		return
	}
	a.mu.mode, a.mu.cause = Lost, fmt.Errorf("what was acknowledged can't be read from the write log: %w", err)
	a.log.Error().Err(err).Msg("what was acknowledged can't be read from the write log: the volume is offline")
	a.unshut()
	a.stir()
}

// blocked notes why the destager gets no further, or that it does.
func (a *Array) blocked(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.reason = ""
	if err != nil {
		a.mu.reason = err.Error()
	}
}
