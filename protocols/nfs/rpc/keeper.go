package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// keep has a connection for as long as there is one or calls want one. It is the goroutine of the connection's reader.
func (c *Client) keep() {
	defer c.keepers.Done()
	for failures := 0; c.wanted(); {
		if !c.pause(failures) {
			continue
		}
		l, err := c.connect()
		if err != nil {
			failures++
			continue
		}
		if l.run() {
			failures = 0
		} else {
			failures++
		}
	}
}

// wanted says whether there is a call that waits for a connection; if not, the keeper has to end.
func (c *Client) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.keeping = !c.mu.closed && len(c.mu.calls) > 0
	return c.mu.keeping
}

// pause waits before another attempt, and says whether to make it.
func (c *Client) pause(failures int) bool {
	if failures == 0 {
		return true
	}
	timer := time.NewTimer(c.opts.RedialDelay << min(failures-1, redialDoublings))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.life.Done():
		return false
	}
}

// connect opens a connection and sends what waits.
func (c *Client) connect() (*link, error) {
	ctx, cancel := context.WithTimeout(c.life, c.opts.DialTimeout)
	defer cancel()
	l, err := c.dial(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.failure = err
	if err != nil {
		return nil, err
	}
	c.mu.stats.Connects++
	c.mu.link = l
	if c.mu.closed {
		l.giveUp(ErrClosed)
	}
	for _, p := range c.inOrder() {
		if p.link != nil {
			c.mu.stats.Reissued++
			if p.fate != nil {
				p.fate.Reissued = true
			}
		}
		l.send(p)
	}
	l.kick()
	return l, nil
}

// dial makes a connection that may be used.
func (c *Client) dial(ctx context.Context) (*link, error) {
	nc, err := c.opts.Dial(ctx, "tcp", c.opts.Address)
	if err != nil {
		return nil, err
	}
	l := newLink(c, nc)
	if err := l.greet(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return l, nil
}

// inOrder returns the calls as they came. c.mu is held.
func (c *Client) inOrder() []*pending {
	return slices.SortedFunc(maps.Values(c.mu.calls), func(a, b *pending) int { return cmp.Compare(a.order, b.order) })
}

// lost ends the calls that can't go to another connection. Nothing refers to their memory any more.
func (c *Client) lost(l *link, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.lose(time.Now())
	for _, p := range c.mu.calls {
		if p.link != nil && !p.idempotent {
			p.fail(fmt.Errorf("connection lost: %w", reason))
		}
	}
	if !errors.Is(reason, errIdle) {
		c.mu.failure = reason
	}
}

// receive takes a reply.
func (c *Client) receive(l *link, record []byte, m memory) error {
	xid, results, verdict, err := parseReply(record)
	if err != nil {
		m.release()
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.mu.calls[xid]
	switch {
	case p != nil && verdict == nil:
		if m.from == nil { // the reader's, who goes on with it
			m = takeMemory(c.opts.Buffers, len(results))
			results = m.bytes[:copy(m.bytes, results)]
		}
		p.finish(Reply{Results: results, memory: m}, nil)
		return nil
	case p != nil:
		p.finish(Reply{}, verdict)
	case l.caughtUp(xid):
	case xid == l.ping: // it counted as a sign of life when it came
	default:
		c.mu.stats.Unknown++
	}
	m.release()
	return nil
}
