package iscsi

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"forebay/protocols/iscsi/initiator"
)

// errFenced: somebody else has the reservation.
var errFenced = errors.New("another host or gateway uses the LUN")

const reservation = initiator.WriteExclusiveRegistrants

// reserve sees to it that we hold the reservation (PROTOCOL D7), or that nobody does where we are not to.
func (a *Array) reserve(ctx context.Context, p *path, s *initiator.Session) error {
	keys, err := s.ReadKeys(ctx, a.opts.LUN)
	switch {
	case initiator.IsUnsupported(err):
		if !a.unfenced.Swap(true) && a.opts.Reserve {
			a.opts.Log.Warn().Str("target", a.opts.Target).Msg("the array has no persistent reservations: other hosts can write past the cache")
		}
		return nil
	case initiator.IsReservationConflict(err):
		return fmt.Errorf("reserved, by other means than a key: %w", errFenced)
	case err != nil:
		return err
	}
	held, err := s.ReadReservation(ctx, a.opts.LUN)
	if err != nil {
		return err
	}
	if !a.opts.Reserve {
		if held.Held {
			return foreign(held.Key)
		}
		return nil
	}
	if key, taken := a.taken(keys.Keys, held); taken {
		return foreign(key)
	}
	mine := held.Held && a.owns(held.Key) && held.Type == reservation && slices.Contains(keys.Keys, held.Key)
	if a.registeredBefore() && !mine {
		a.doubtCache()
	}
	return a.register(ctx, p, s)
}

func foreign(key uint64) error { return fmt.Errorf("reserved by key %016x: %w", key, errFenced) }

// register registers this nexus, which may be another than that of the holder, fences those of ours that are in doubt, and takes the reservation
// if it is free. One that a nexus of ours has left, in an earlier life, is ours again; any other is left alone, and our registrations taken back.
func (a *Array) register(ctx context.Context, p *path, s *initiator.Session) error {
	lun, key := a.opts.LUN, p.key
	if err := s.Register(ctx, lun, 0, key, true); err != nil {
		return err
	}
	if err := a.fence(ctx, p, s); err != nil {
		return err
	}
	held, err := s.ReadReservation(ctx, lun)
	if err == nil && held.Held && !a.owns(held.Key) {
		held, err = a.reclaim(ctx, s)
	}
	switch {
	case err != nil:
		return err
	case held.Held && !a.owns(held.Key):
		a.unregister(ctx, p, s)
		return foreign(held.Key)
	case held.Held && held.Type != reservation:
		return fmt.Errorf("reserved as type %d: %w", held.Type, foreign(key))
	case !held.Held:
		if err := s.Reserve(ctx, lun, key, reservation); err != nil {
			if initiator.IsReservationConflict(err) {
				return fmt.Errorf("reserved meanwhile: %w", errFenced)
			}
			return err
		}
	}
	a.fenced(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.registered = true
	return nil
}

// reclaim registers through the other paths: one of them may be the nexus that holds the reservation.
func (a *Array) reclaim(ctx context.Context, s *initiator.Session) (held initiator.Reservation, err error) {
	for _, p := range a.loggedIn() {
		other := p.session
		if other == s || other.Register(ctx, a.opts.LUN, 0, p.key, true) != nil {
			continue
		}
		held, err = s.ReadReservation(ctx, a.opts.LUN)
		if err != nil || !held.Held || a.owns(held.Key) {
			return held, err
		}
		a.unregister(ctx, p.path, other)
	}
	return s.ReadReservation(ctx, a.opts.LUN)
}

// login is a path with the session that it has.
type login struct {
	*path
	session *initiator.Session
}

// loggedIn are the paths that have a session.
func (a *Array) loggedIn() (list []login) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.mu.paths {
		if p.session != nil {
			list = append(list, login{p, p.session})
		}
	}
	return list
}

func (a *Array) registeredBefore() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.registered
}

// doubtCache notes that others may have written since we were last served.
func (a *Array) doubtCache() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.untold.unproven = true
}
