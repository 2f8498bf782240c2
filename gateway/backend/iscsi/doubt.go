package iscsi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/protocols/iscsi/initiator"
)

// errDoubt: a session that has ended may still have changes on their way.
var errDoubt = errors.New("changes may be under way over a portal that can't be reached")

// doubt notes that a change of a session may land yet. One that its path has logged in after has reinstated it. a.mu is held.
func (a *Array) doubt(p *path, s *initiator.Session) {
	a.mu.todo.reset = true
	group := s.PortalGroup()
	if p.session != nil && p.session != s && p.session.PortalGroup() == group {
		return
	}
	if p.doubted && p.suspect != group {
		group = several
	}
	p.doubted, p.doubtedAt, p.suspect = true, time.Now(), group
}

// several is the suspect of a path over which sessions to more than one portal group are in doubt: no login reinstates them all.
const several = "several"

// reinstates says whether the login of s has ended what is in doubt over p. One that was redirected to another portal group has not: that is another
// nexus. Where an earlier life was redirected to nobody knows.
func (p *path) reinstates(s *initiator.Session) bool {
	if p.suspect == "" {
		return !s.Redirected()
	}
	return p.suspect == s.PortalGroup()
}

// resolve sees to it that what is in doubt lands no more (PROTOCOL D2). Nothing of ours is under way.
//
// A LOGICAL UNIT RESET ends what the array has received. What is still on its way to it, in the network or in the buffers of a connection of which the
// array doesn't know yet that it has ended, comes to nothing once the session that it belongs to is no more: a login over the same
// path has reinstated it, or its path has lost its registration where only registrants may write.
func (a *Array) resolve(ctx context.Context, s *initiator.Session) error {
	a.mu.Lock()
	needed := a.mu.todo.reset
	a.mu.Unlock()
	if !needed {
		return nil
	}
	if err := a.outlast(); err != nil {
		return err
	}
	if err := s.ResetUnit(ctx, a.opts.LUN); err != nil {
		return fmt.Errorf("LOGICAL UNIT RESET: %w", err)
	}
	a.mu.Lock()
	a.mu.todo.reset = false
	a.mu.Unlock()
	return s.Ready(ctx, a.opts.LUN) // takes the attention that it caused
}

// outlast fails as long as a path in doubt has neither been logged in to again nor been fenced, up to the time after which nothing is on its way
// in any network that we know of. An array that can't fence is unfenced (PROTOCOL D4).
func (a *Array) outlast() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.mu.paths {
		if !p.doubted {
			continue
		}
		if !p.tried {
			return errNoPath
		}
		if time.Since(p.doubtedAt) < a.opts.Drain {
			return fmt.Errorf("%w, %s, and the array does not fence it: waiting for the portal, up to %v", errDoubt, p.portal, a.opts.Drain)
		}
		p.doubted = false
		a.opts.Log.Warn().Str("portal", p.portal).Dur("waited", a.opts.Drain).Msg("going on without a portal that may still have writes on their way")
	}
	return nil
}

// fence takes their registrations from the paths in doubt, and from what an earlier life of ours has left: from then on only registrants write.
// An array that doesn't know how is unfenced.
func (a *Array) fence(ctx context.Context, p *path, s *initiator.Session) error {
	keys, err := s.ReadKeys(ctx, a.opts.LUN)
	if err != nil {
		return err
	}
	for _, key := range keys.Keys {
		if key == p.key || !a.fences(key) {
			continue
		}
		err := s.Preempt(ctx, a.opts.LUN, p.key, key, reservation, false)
		switch {
		case initiator.IsUnsupported(err):
			if !a.unfenced.Swap(true) {
				a.opts.Log.Warn().Str("target", a.opts.Target).Msg("the array can't take a registration from a path: it can't be fenced")
			}
			return nil
		case err != nil:
			return fmt.Errorf("fence key %016x: %w", key, err)
		}
		a.opts.Log.Info().Str("portal", p.portal).Hex("key", key64(key)).Msg("a path with writes in doubt has been fenced")
	}
	return nil
}

// fences says whether a key is one of ours that is to lose its registration. Another boot's is an earlier one's only until we are registered.
func (a *Array) fences(key uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.mu.paths {
		if p.key == key {
			return p.doubted
		}
	}
	return !a.mu.registered && a.otherBoot(key)
}

// fenced notes that what the paths in doubt have sent can't be executed any more, in being that in use: a session of this life that is in doubt over it
// was to another portal group, and registered by the same key.
func (a *Array) fenced(in *path) {
	if a.unfenced.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.mu.paths {
		p.doubted = p.doubted && p == in && p.suspect != ""
	}
}

// owns says whether a key is that of a path of this process.
func (a *Array) owns(key uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.mu.paths {
		if p.key == key {
			return true
		}
	}
	return false
}

func key64(key uint64) []byte {
	p := make([]byte, 8)
	for i := range p {
		p[i] = byte(key >> (56 - 8*i))
	}
	return p
}
