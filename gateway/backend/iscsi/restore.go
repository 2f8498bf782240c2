package iscsi

import (
	"context"
	"errors"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// errAgain: something has happened during the recovery, which begins anew.
var errAgain = errors.New("the recovery begins anew")

// restore takes all steps of a recovery on one session. What it has not got done is still in Array.mu.todo when it fails.
func (a *Array) restore(ctx context.Context) error {
	a.distrust()
	a.abortFlights(ctx)
	if err := a.settled(ctx); err != nil {
		return err
	}
	a.distrust() // by what has landed
	p, s, err := a.pick(ctx)
	if err != nil {
		return err
	}
	p.asking.Lock()
	defer p.asking.Unlock()
	if err := a.secure(ctx, p, s); err != nil {
		return a.soured(p, s, err)
	}
	return a.serve(p, s)
}

// pick chooses the path, having looked at the states again where they are in question.
func (a *Array) pick(ctx context.Context) (*path, *initiator.Session, error) {
	a.mu.Lock()
	asked := a.mu.todo.regroup
	a.mu.todo.regroup = false
	a.mu.Unlock()
	for _, l := range a.loggedIn() {
		if !asked {
			break
		}
		if groups, err := l.session.PortGroups(ctx, a.opts.LUN); err == nil {
			a.regrouped(groups)
			break
		}
	}
	p, s, err := a.choose()
	if err != nil {
		a.mu.Lock()
		a.mu.todo.regroup = true
		a.mu.Unlock()
	}
	return p, s, err
}

// secure makes the medium what our callers take it for: it is the one that was attached before, nothing of before can land, nobody else writes, it
// is not smaller, and what was answered is there. The reservation comes before the questions that it may keep others from asking (SPC-4 5.13).
func (a *Array) secure(ctx context.Context, p *path, s *initiator.Session) error {
	if err := s.Ready(ctx, a.opts.LUN); err != nil { // takes the attentions
		return err
	}
	news := p.news.Load()
	if err := a.identify(ctx, p, s); err != nil {
		return err
	}
	if err := a.reserve(ctx, p, s); err != nil {
		return err
	}
	if err := a.resolve(ctx, s); err != nil {
		return err
	}
	a.account(p)
	if err := a.measure(ctx, s); err != nil {
		return err
	}
	if err := a.rewrite(ctx, p, s); err != nil {
		return err
	}
	if a.account(p) || p.news.Load() != news { // what has been looked at may have changed since
		return errAgain
	}
	return nil
}

// account has what is unflushed written again, if our own questions were told of a reset since they were last accounted: it says so.
func (a *Array) account(p *path) bool {
	seen := p.resets.Load()
	if seen == p.accounted {
		return false
	}
	p.accounted = seen
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin(todo{rewrite: true}, "the array was reset")
	return true
}

// soured is the end of an attempt. A session that failed for anything but the array's own word is not trusted any more; nor is that of another
// medium kept, as the path finds out by a login when it is the right one again.
func (a *Array) soured(p *path, s *initiator.Session, err error) error {
	var status *initiator.StatusError
	switch {
	case errors.As(err, &status):
		a.mu.Lock()
		a.mu.todo.regroup = true
		a.mu.attempts++
		p.soured = a.mu.attempts
		a.mu.Unlock()
	case errors.Is(err, errAgain), errors.Is(err, errDoubt), errors.Is(err, errNoPath): // not for this session's sake
	case a.life.Err() != nil: // it is given up with all others, after what it has registered
	case errors.Is(err, cachecore.ErrIdentity), !lasting(err):
		a.mu.Lock()
		p.err = err // rather than that the session was closed
		a.mu.Unlock()
		s.Abandon()
	}
	return err
}

// serve ends the recovery, if nothing has happened since it began.
func (a *Array) serve(p *path, s *initiator.Session) error {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.mu.Lock()
	if !a.intact(p, s) {
		a.mu.Unlock()
		return errAgain
	}
	news := a.mu.state == away || a.mu.untold != (untold{})
	e := a.event()
	e.Available = true
	if a.mu.state == away { // who asks from now on waits
		a.mu.state = recovering
		a.bePatient()
	}
	a.mu.Unlock()
	if news && a.opened.Load() {
		a.opts.Watch(e)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.intact(p, s) {
		return errAgain
	}
	a.mu.untold, a.mu.ceded, a.mu.altered = untold{}, false, false
	a.opened.Store(true)
	if a.mu.deadline != nil {
		a.mu.deadline.Stop()
	}
	a.mu.state, a.mu.path, a.mu.session, a.mu.reason = serving, p, s, nil
	p.served, p.soured = true, 0
	a.reconsider() // a better path may have arrived meanwhile
	a.admit()
	a.report(nil)
	return nil
}

// intact says whether a path may be used as it was found. a.mu is held.
func (a *Array) intact(p *path, s *initiator.Session) bool {
	return a.mu.state != closed && a.mu.todo == (todo{}) && p.session == s && s.Err() == nil
}
