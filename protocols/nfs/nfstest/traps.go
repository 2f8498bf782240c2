package nfstest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"forebay/protocols/nfs"
)

// Stage is where on its way a call is caught.
type Stage int

// The stages of a call.
const (
	Before Stage = iota // it has not been executed
	After               // it has been, and its result is on its way
)

// Which says which calls are meant. It must not keep a, nor call the Mem.
type Which func(p nfs.Procedure, a nfs.Message) bool

// Only means all calls of some procedures.
func Only(list ...nfs.Procedure) Which {
	return func(p nfs.Procedure, _ nfs.Message) bool { return slices.Contains(list, p) }
}

// Trap catches calls until it is released.
type Trap struct {
	Caught <-chan nfs.Procedure // tells of each call that has been caught; 1024 of them at most wait to be taken

	caught   chan nfs.Procedure
	of       *traps
	at       Stage
	which    Which
	err      error // what calls end with; nil: they are held
	released chan struct{}
	once     sync.Once
}

// Hold holds calls at a stage until the trap is released, or their context ends.
func (m *Mem) Hold(at Stage, which Which) *Trap { return m.traps.set(at, which, nil) }

// Fail ends calls at a stage with err, until the trap is released.
func (m *Mem) Fail(at Stage, err error, which Which) *Trap { return m.traps.set(at, which, err) }

// Release lets those go that are held, and catches no more.
func (t *Trap) Release() {
	t.once.Do(func() {
		t.of.mu.Lock()
		defer t.of.mu.Unlock()
		t.of.mu.list = slices.DeleteFunc(t.of.mu.list, func(o *Trap) bool { return o == t })
		close(t.released)
	})
}

// traps are those that are set; the first one that wants a call gets it.
type traps struct {
	mu struct {
		sync.Mutex
		list []*Trap
	}
}

func (s *traps) set(at Stage, which Which, err error) *Trap {
	caught := make(chan nfs.Procedure, 1024)
	t := &Trap{Caught: caught, caught: caught, of: s, at: at, which: which, err: err, released: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.list = append(s.mu.list, t)
	return t
}

func (s *traps) find(at Stage, p nfs.Procedure, a nfs.Message) *Trap {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.mu.list {
		if t.at == at && t.which(p, a) {
			return t
		}
	}
	return nil
}

// pass lets a call through a stage, or returns the error that it ends with.
func (s *traps) pass(ctx context.Context, at Stage, p nfs.Procedure, a nfs.Message) error {
	if t := s.find(at, p, a); t != nil {
		select {
		case t.caught <- p:
		default:
		}
		if t.err != nil {
			return t.err
		}
		select {
		case <-t.released:
		case <-ctx.Done():
		}
	}
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case at == After:
		return fmt.Errorf("%v: %w: %w", p, nfs.ErrOutcomeUnknown, err)
	default:
		return fmt.Errorf("%v: %w", p, err)
	}
}
