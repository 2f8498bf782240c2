// Package freelist keeps what a connection's requests are made of, for the next ones.
package freelist

import "sync"

// List keeps Ts for reuse. It never has more than were in use at a time. The zero value is empty; it is safe for concurrent use.
type List[T any] struct {
	mu   sync.Mutex
	free []*T
}

// Take returns the T that was given last, as it was given, or a new one.
func (l *List[T]) Take() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.free)
	if n == 0 {
		return new(T)
	}
	x := l.free[n-1]
	l.free = l.free[:n-1]
	return x
}

// Give has x be taken again.
func (l *List[T]) Give(x *T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, x)
}
