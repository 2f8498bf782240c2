package flash

import (
	"context"
	"sync"
)

// calls counts what is under way, so that others can wait for it.
type calls struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // made by who waits; closed when n is 0
}

// enter is false once it is closed.
func (c *calls) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.n++
	return true
}

// join enters on behalf of what is under way itself.
func (c *calls) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *calls) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// close refuses others and waits for those that are under way, or for ctx.
func (c *calls) close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
