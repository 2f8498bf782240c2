package rpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Client calls one version of one program at one server. Many goroutines may use it.
type Client struct {
	opts    ClientOptions
	slots   chan struct{}   // one for each call that may yet begin
	life    context.Context // ended by Close
	end     context.CancelFunc
	keepers sync.WaitGroup

	mu struct {
		sync.Mutex
		closed  bool
		keeping bool                // a keeper runs
		link    *link               // nil: there is no connection
		calls   map[uint32]*pending // without an outcome, by XID
		xid     uint32              // the last one
		order   uint64
		failure error // of the last attempt to connect, or of the last connection
		stats   ClientStats
	}
}

// grace is what a call that gives up grants the connection to let go of its memory.
const grace = time.Second

// NewClient returns a client that connects when the first call is made.
func NewClient(o ClientOptions) *Client {
	c := &Client{opts: o.withDefaults()}
	c.slots = make(chan struct{}, c.opts.Outstanding)
	for range c.opts.Outstanding {
		c.slots <- struct{}{}
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.mu.calls = make(map[uint32]*pending)
	c.mu.xid = rand.Uint32() // a server's duplicate request cache may know those of our last life
	return c
}

// Call makes a call and waits for its reply, which the caller releases. An error is an AcceptStatus, an AuthStatus or a *MismatchError if
// the server refused; ErrOutcomeUnknown or ErrNotSent, with the reason, if there is no reply; ErrProtocol if it makes no sense.
func (c *Client) Call(ctx context.Context, r *Request) (Reply, error) {
	during := r.During
	if during == nil {
		during = ctx
	}
	timeout := time.NewTimer(c.opts.CallTimeout)
	defer timeout.Stop()
	select {
	case <-c.slots:
	default:
		if cause := c.await(ctx, during, c.slots, timeout.C); cause != nil {
			return Reply{}, fmt.Errorf("%w: %w", ErrNotSent, cause)
		}
	}
	defer func() { c.slots <- struct{}{} }()
	p := newPending(c, r)
	if l := c.submit(p); l != nil {
		l.offer()
	}
	if cause := c.await(ctx, during, p.ready, timeout.C); cause != nil {
		c.abandon(p, cause)
	}
	return p.reply, p.err
}

// await waits for what comes over a channel, or says why it doesn't.
func (c *Client) await(ctx, during context.Context, ready <-chan struct{}, timeout <-chan time.Time) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-during.Done():
		return context.Cause(during)
	case <-timeout:
		return errTimeout
	case <-c.life.Done():
		return ErrClosed
	}
}

// submit queues a call on the connection that it returns; without one it is left to the keeper.
func (c *Client) submit(p *pending) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.stats.Calls++
	p.setXID(c.nextXID())
	c.mu.calls[p.xid] = p
	c.mu.order++
	p.order = c.mu.order
	switch {
	case c.mu.closed:
		p.fail(ErrClosed)
	case c.mu.link != nil:
		c.mu.link.send(p)
		return c.mu.link
	case !c.mu.keeping:
		c.mu.keeping = true
		c.keepers.Add(1)
		go c.keep()
	}
	return nil
}

// nextXID returns one that no call has. c.mu is held.
func (c *Client) nextXID() uint32 {
	for {
		c.mu.xid++
		if !c.used(c.mu.xid) {
			return c.mu.xid
		}
	}
}

// used says whether a reply with that XID may be expected. c.mu is held.
func (c *Client) used(xid uint32) bool {
	_, used := c.mu.calls[xid]
	if l := c.mu.link; l != nil && !used {
		_, used = l.stragglers[xid]
	}
	return used
}

// abandon ends a call whose time is up and returns when nothing refers to its memory any more. A connection that doesn't let go of it is
// given up.
func (c *Client) abandon(p *pending, cause error) {
	c.mu.Lock()
	if !p.done {
		p.leaveBehind()
		if c.mu.failure != nil && c.mu.link == nil {
			cause = fmt.Errorf("%w: %w", cause, c.mu.failure)
		}
		p.fail(cause)
	}
	l := p.link
	c.mu.Unlock()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ready:
		return
	case <-timer.C:
	}
	c.mu.Lock()
	l.giveUp(errTimeout) // it was sent, as it is held
	c.mu.Unlock()
	<-p.ready
}

// Abandon ends the connection, if there is one, as if it had been lost.
func (c *Client) Abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.mu.link; l != nil {
		l.giveUp(errGivenUp)
	}
}

// Close ends all calls, closes the connection and returns when nothing is left.
func (c *Client) Close() {
	c.mu.Lock()
	c.mu.closed = true
	for _, p := range c.mu.calls {
		p.leaveBehind()
		p.fail(ErrClosed)
	}
	if l := c.mu.link; l != nil {
		l.giveUp(ErrClosed)
	}
	c.mu.Unlock()
	c.end()
	c.keepers.Wait()
}

// ClientStats count since the client was made.
type ClientStats struct {
	Calls       uint64
	Outstanding int
	Connects    uint64
	Reissued    uint64 // calls that were sent again on another connection
	Unknown     uint64 // replies to no call that waits
	Failure     error  // of the last attempt to connect, or of the last connection; nil: none since the last success
}

// Stats returns the counts.
func (c *Client) Stats() ClientStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.mu.stats
	stats.Outstanding = len(c.mu.calls)
	stats.Failure = c.mu.failure
	return stats
}
