package export

import (
	"context"
	"errors"
	"time"

	"forebay/protocols/nfs"
)

// inquiry is a GETATTR under way, for all who join it: who would be content with an answer that is a little older than their question.
type inquiry struct {
	turns uint64 // of the view, when it was asked
	at    time.Time
	done  chan struct{}

	// Set before done is closed.
	status nfs.Status
	attr   nfs.Attr
	err    error
}

// refresh has the array asked for an object's attributes unless they are fresh.
func (e *Export) refresh(ctx context.Context, c *nfs.Caller, n *node) (nfs.Status, nfs.Attr, error) {
	for {
		x, attr, mine := n.inquire(time.Now(), e.opts.AttributeCache)
		switch {
		case x == nil:
			return nfs.OK, attr, nil
		case mine:
			x.status, x.attr, x.err = e.inquire(ctx, c, n)
			n.answered(x)
			return x.status, x.attr, x.err
		}
		select {
		case <-x.done:
		case <-ctx.Done():
			return nfs.OK, nfs.Attr{}, ctx.Err()
		}
		switch {
		case givenUp(x.err):
		case x.err == nil && x.status != nfs.OK: // which may be so for who asked alone
			return e.inquire(ctx, c, n)
		default:
			return x.status, x.attr, x.err
		}
	}
}

// givenUp says whether it was who asked that has given up.
func givenUp(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// inquire returns the inquiry to wait for, or to make; nil: the attributes are fresh. One is joined only if nothing of ours has begun or ended since
// it was asked, so that what was answered before is in what it brings.
func (n *node) inquire(now time.Time, life time.Duration) (x *inquiry, attr nfs.Attr, mine bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := &n.mu.view
	if v.fresh(now) {
		return nil, v.attr, false
	}
	if x = n.mu.asking; x != nil && x.turns == v.turns && now.Before(x.at.Add(life)) {
		return x, nfs.Attr{}, false
	}
	x = &inquiry{turns: v.turns, at: now, done: make(chan struct{})}
	n.mu.asking = x
	return x, nfs.Attr{}, true
}

func (n *node) answered(x *inquiry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.asking == x {
		n.mu.asking = nil
	}
	close(x.done)
}

// inquire asks for an object's attributes. What is known may be better by then: a change of ours may have ended that the answer lacks.
func (e *Export) inquire(ctx context.Context, c *nfs.Caller, n *node) (nfs.Status, nfs.Attr, error) {
	var r nfs.GetAttrResult
	var q question
	err := e.outage.Ask(ctx, func(ctx context.Context) error {
		q = n.ask()
		return e.once(ctx, c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.handle}, &r)
	})
	if err != nil || r.Status != nfs.OK {
		return r.Status, nfs.Attr{}, err
	}
	n.learn(&q, &r.Attr, e.opts.AttributeCache)
	if attr, ok := n.attributes(time.Now()); ok {
		return nfs.OK, attr, nil
	}
	return nfs.OK, r.Attr, nil
}
