package iscsi

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// stateOf is what the ports of a group do. An array without groups treats all ports alike, and one that does not know its own is not asked more.
func stateOf(groups []initiator.PortGroup, id uint16) initiator.AccessState {
	for _, g := range groups {
		if g.ID == id {
			return g.State
		}
	}
	return initiator.Optimized
}

// active says whether commands may be sent over a path of that state.
func active(s initiator.AccessState) bool {
	return s == initiator.Optimized || s == initiator.NonOptimized
}

// refused notes why a path is not logged in.
func (a *Array) refused(p *path, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.tried, p.err = true, err
	a.nudge()
}

// arrived makes a session of a path one to choose from. A better one than that in use is changed to.
func (a *Array) arrived(p *path, s *initiator.Session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.session, p.tried, p.err = s, true, nil
	p.doubted, p.soured = p.doubted && !p.reinstates(s), 0
	a.reconsider()
	a.nudge()
}

// departed takes a session that has ended from its path, and says whether it was in use.
func (a *Array) departed(p *path, s *initiator.Session) (served bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.session = nil; p.err == nil {
		p.err = fmt.Errorf("%s: %w", p.portal, s.Err())
	}
	if a.mu.session == s {
		a.begin(todo{abandon: s, rewrite: true}, p.err.Error())
	}
	return p.served
}

// regrouped takes the states of all paths.
func (a *Array) regrouped(groups []initiator.PortGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.mu.paths {
		if state := stateOf(groups, p.group); state != p.state {
			p.state, p.soured = state, 0
		}
	}
	a.reconsider()
}

// reconsider begins a change of the path while the array is served over another than the best. a.mu is held.
func (a *Array) reconsider() {
	if a.mu.state != serving {
		return
	}
	if best := a.best(); best != nil && best != a.mu.path && best.state < a.mu.path.state {
		a.begin(todo{}, "a better path has been found")
	}
}

// hasSoured says whether a recovery over p has failed.
func (a *Array) hasSoured(p *path) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.soured > 0
}

// sweeten notes that p is well.
func (a *Array) sweeten(p *path) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.soured = 0
	a.reconsider()
}

// uses says whether a path is in use.
func (a *Array) uses(p *path) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.path == p
}

// best is the best path that is logged in to the medium, nil if none is active: one over which no recovery has failed, or that for which this is
// longest ago; then by its state. Of equals it is the one in use, or the first. a.mu is held.
func (a *Array) best() *path {
	var best *path
	for _, p := range a.mu.paths {
		if p.session == nil || p.session.Err() != nil || !active(p.state) || a.mu.identity != "" && p.name != a.mu.identity {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(p.soured, best.soured), cmp.Compare(p.state, best.state)) < 0 ||
			p.soured == best.soured && p.state == best.state && p == a.mu.path {
			best = p
		}
	}
	return best
}

// choose returns the best path and its session, or why there is none.
func (a *Array) choose() (*path, *initiator.Session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.best()
	if p == nil {
		return nil, nil, a.noPath()
	}
	if p.session != a.mu.session {
		a.retained.newEra() // it is another nexus, and may be another controller with a cache of its own
		a.mu.todo.rewrite = true
	}
	return p, p.session, nil
}

// noPath tells of every path why it can't be used. What is likely to last for one is nothing to give up for while another may come back. a.mu is held.
func (a *Array) noPath() error {
	var all []error
	for _, p := range a.mu.paths {
		switch {
		case !p.tried:
			return errNoPath
		case p.session == nil:
			all = append(all, p.err)
		case p.session.Err() != nil:
			all = append(all, fmt.Errorf("%s: %w", p.portal, p.session.Err()))
		case p.name != a.mu.identity && a.mu.identity != "":
			all = append(all, a.otherMedium(p.name))
		default:
			all = append(all, fmt.Errorf("%s: the port is %v", p.portal, p.state))
		}
	}
	if slices.ContainsFunc(all, func(err error) bool { return !lasting(err) }) {
		return fmt.Errorf("%w: %s", cachecore.ErrUnavailable, errors.Join(all...).Error())
	}
	return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, errors.Join(all...))
}
