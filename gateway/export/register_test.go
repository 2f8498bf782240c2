package export

import (
	"sync"
	"testing"
)

// register is something that one goroutine changes, and others look at.
type register[V comparable] struct {
	mu       sync.Mutex
	states   []V
	answered int // the state that is the last for sure
}

// change makes the next state.
func (g *register[V]) change(to V, f func()) {
	g.mu.Lock()
	g.states = append(g.states, to)
	g.mu.Unlock()
	f()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered = len(g.states) - 1
}

// look checks that what is seen is what there was at some time meanwhile.
func (g *register[V]) look(t *testing.T, see func() V) {
	g.mu.Lock()
	from := g.answered
	g.mu.Unlock()
	seen := see()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, state := range g.states[from:] {
		if state == seen {
			return
		}
	}
	t.Errorf("%+v is seen; since it was asked for there were %+v", seen, g.states[from:])
}
