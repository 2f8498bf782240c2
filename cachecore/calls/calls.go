// Package calls counts what is under way, so that whoever ends something can wait for it.
package calls

import (
	"context"
	"sync"
)

// Calls are those under way. The zero value has none and takes some. It is safe for concurrent use; its lock is a leaf.
type Calls struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // made by who waits; closed when n is 0
}

// Enter begins a call. It is false once they are closed.
func (c *Calls) Enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.n++
	return true
}

// Join begins a call on behalf of one that is under way, closed or not: it may outlive that.
func (c *Calls) Join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

// Leave ends a call.
func (c *Calls) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// Close refuses others and waits for those that are under way, or for ctx, whose error it returns. It may be called again.
func (c *Calls) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.Wait(ctx)
}

// Wait waits until none is under way, or for ctx, whose error it returns.
func (c *Calls) Wait(ctx context.Context) error {
	c.mu.Lock()
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
