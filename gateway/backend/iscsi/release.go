package iscsi

import (
	"context"
	"slices"
	"time"

	"forebay/protocols/iscsi/initiator"
)

// release, at the end, takes their registrations from the paths that have no session to give them up: the reservation would stay with one of them.
func (a *Array) release() {
	a.mu.Lock()
	p := a.best()
	if p == nil || !a.mu.registered || a.mu.ceded {
		a.mu.Unlock()
		return
	}
	s := p.session
	a.mu.Unlock()
	finally(s, func(ctx context.Context) { a.inherit(ctx, p, s) })
}

// inherit takes what paths without a session have registered, the reservation with it, to a path with one.
func (a *Array) inherit(ctx context.Context, p *path, s *initiator.Session) {
	keys, err := s.ReadKeys(ctx, a.opts.LUN)
	for _, key := range keys.Keys {
		if err != nil || !a.orphaned(key) {
			continue
		}
		if err = s.Register(ctx, a.opts.LUN, 0, p.key, true); err == nil {
			err = s.Preempt(ctx, a.opts.LUN, p.key, key, reservation, false)
		}
	}
	if err != nil {
		a.opts.Log.Warn().Str("target", a.opts.Target).Err(err).Msg("give up what lost paths have registered")
	}
}

// orphaned says whether a key is that of a path without a session.
func (a *Array) orphaned(key uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.mu.paths, func(p *path) bool { return p.key == key && (p.session == nil || p.session.Err() != nil) })
}

// unregister gives up what a nexus has registered. One that has registered nothing, or does not answer, is left alone.
func (a *Array) unregister(ctx context.Context, p *path, s *initiator.Session) {
	err := s.Register(ctx, a.opts.LUN, p.key, 0, false)
	if err != nil && !initiator.IsReservationConflict(err) && !initiator.IsUnsupported(err) {
		a.opts.Log.Warn().Str("target", a.opts.Target).Err(err).Msg("give up a registration")
	}
}

// finally asks the last questions of a session, which ends when that takes too long.
func finally(s *initiator.Session, ask func(context.Context)) {
	late := time.AfterFunc(logoutTimeout, s.Abandon)
	defer late.Stop()
	ask(context.Background())
}
