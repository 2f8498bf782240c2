package iscsi

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"forebay/cachecore"
)

const (
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

// begin begins a recovery, or adds to the one under way. a.mu is held.
func (a *Array) begin(t todo, why string) {
	if a.mu.state == closed {
		return
	}
	a.mu.todo.add(t)
	if t.rewrite {
		a.retained.newEra()
	}
	if a.mu.state == serving {
		a.mu.state, a.mu.reason = recovering, errors.New(why)
		a.bePatient()
	}
	a.nudge()
}

// bePatient bounds how long those who ask from now on wait. a.mu is held.
func (a *Array) bePatient() {
	if a.mu.deadline != nil {
		a.mu.deadline.Stop()
	}
	a.mu.episode++
	episode := a.mu.episode
	a.mu.deadline = time.AfterFunc(a.opts.Patience, func() { a.goAway(episode, nil) })
}

func (t *todo) add(more todo) {
	if more.abandon != nil {
		t.abandon = more.abandon
	}
	t.abort, t.regroup = t.abort || more.abort, t.regroup || more.regroup
	t.reset, t.rewrite = t.reset || more.reset, t.rewrite || more.rewrite
}

// nudge has the keeper look.
func (a *Array) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// keep is the keeper: it recovers when there is need, until the array is closed.
func (a *Array) keep() {
	defer close(a.kept)
	defer a.release()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pause := firstPause; ; {
		select {
		case <-a.wake:
		case <-timer.C:
		case <-a.life.Done():
			return
		}
		if !a.needed() {
			continue
		}
		err := a.restore(a.life)
		if err == nil {
			pause = firstPause
			continue
		}
		a.failed(trouble{err})
		if errors.Is(err, errFenced) {
			pause = longPause
		}
		timer.Reset(pause)
		pause = min(2*pause, longPause)
	}
}

func (a *Array) needed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.state == recovering || a.mu.state == away
}

// failed notes an attempt that did not succeed. Open hears of the first, but for the portals that are being tried still.
func (a *Array) failed(err error) {
	if a.life.Err() != nil || errors.Is(err, errNoPath) || errors.Is(err, errAgain) {
		return
	}
	if !a.opened.Load() {
		a.report(err)
		return
	}
	a.mu.Lock()
	news := a.mu.reason == nil || a.mu.reason.Error() != err.Error()
	a.mu.reason = err
	episode := a.mu.episode
	a.mu.Unlock()
	if news {
		a.opts.Log.Warn().Str("target", a.opts.Target).Err(err).Msg("the array is not to be used yet")
	}
	if errors.Is(err, errFenced) {
		a.cede()
	}
	if lasting(err) {
		a.goAway(episode, err)
	}
}

// trouble is why an attempt failed, in words that stay the same while the trouble does: without the port that our end of a connection has had.
type trouble struct{ error }

var ourEnd = regexp.MustCompile(`\S+->`)

func (t trouble) Error() string { return ourEnd.ReplaceAllString(t.error.Error(), "") }

func (t trouble) Unwrap() error { return t.error }

// lasting says whether waiting is not likely to help.
func lasting(err error) bool {
	for _, e := range []error{cachecore.ErrIdentity, errFenced, errShrunk, errBlocks} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (a *Array) report(err error) {
	select {
	case a.first <- err:
	default:
	}
}

// goAway ends the patience of a recovery; why is nil for the reason that is known. While the array is away, it tells what is not told yet.
func (a *Array) goAway(episode uint64, why error) {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.mu.Lock()
	news := a.mu.state == recovering || a.mu.state == away && a.mu.untold != (untold{})
	if !news || a.mu.episode != episode {
		a.mu.Unlock()
		return
	}
	if why != nil {
		a.mu.reason = why
	}
	a.mu.state = away
	e := a.event()
	e.Reason = a.mu.reason.Error()
	a.mu.untold = untold{} // nothing is cached of an array that is away: it needs not be told again
	a.turnAway(fmt.Errorf("%w: %w", cachecore.ErrUnavailable, a.mu.reason))
	a.mu.Unlock()
	a.opts.Watch(e)
}

// event is what is to be told in any case. a.mu is held.
func (a *Array) event() Event {
	return Event{Unproven: a.mu.untold.unproven, Forsaken: a.mu.untold.forsaken, Resized: a.mu.untold.resized}
}

// distrust ends the session that is in question, so that its flights land.
func (a *Array) distrust() {
	a.mu.Lock()
	s := a.mu.todo.abandon
	a.mu.Unlock()
	if s == nil {
		return
	}
	s.Abandon()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.todo.abandon == s {
		a.mu.todo.abandon = nil
	}
	if a.mu.session == s {
		a.mu.session, a.mu.path = nil, nil
	}
}

// abortFlights asks for the end of what the array has dropped without a word.
func (a *Array) abortFlights(ctx context.Context) {
	a.mu.Lock()
	if !a.mu.todo.abort {
		a.mu.Unlock()
		return
	}
	a.mu.todo.abort = false
	var list []*op
	for o := a.mu.flights.first; o != nil; o = o.next {
		list = append(list, o)
	}
	session := a.mu.session
	a.mu.Unlock()
	for _, o := range list {
		if session == nil || session.Err() != nil {
			return
		}
		if err := session.AbortTask(ctx, &o.command); err != nil {
			session.Abandon()
		}
	}
}
