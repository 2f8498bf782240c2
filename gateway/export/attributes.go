package export

import (
	"context"
	"time"

	"forebay/protocols/nfs"
)

func (e *Export) getAttrNow(a *nfs.HandleArgs, r *nfs.GetAttrResult) bool {
	n := e.table.find(a.Object)
	if n == nil {
		return false
	}
	attr, ok := n.attributes(time.Now())
	if ok {
		*r = nfs.GetAttrResult{Attr: attr}
	}
	return ok
}

func (e *Export) getAttr(ctx context.Context, c *nfs.Caller, a *nfs.HandleArgs, r *nfs.GetAttrResult) error {
	n := e.table.use(a.Object)
	defer e.table.letGo(n)
	status, attr, err := e.refresh(ctx, c, n)
	*r = nfs.GetAttrResult{Status: status, Attr: attr}
	return err
}

// attributes returns what is known of an object, if that is fresh.
func (n *node) attributes(now time.Time) (nfs.Attr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.view.attr, n.mu.view.fresh(now)
}

// refresh has the array asked for an object's attributes unless they are fresh. Those who ask meanwhile wait for the same answer, if they would be
// content with one that is a little older than their question.
func (e *Export) refresh(ctx context.Context, c *nfs.Caller, n *node) (nfs.Status, nfs.Attr, error) {
	for {
		n.mu.Lock()
		if n.mu.view.fresh(time.Now()) {
			defer n.mu.Unlock()
			return nfs.OK, n.mu.view.attr, nil
		}
		asking := n.mu.asking
		if asking == nil || e.opts.AttributeCache == 0 {
			answered := make(chan struct{})
			n.mu.asking = answered
			n.mu.Unlock()
			status, attr, err := e.inquire(ctx, c, n)
			n.mu.Lock()
			if n.mu.asking == answered {
				n.mu.asking = nil
			}
			n.mu.Unlock()
			close(answered)
			return status, attr, err
		}
		n.mu.Unlock()
		select {
		case <-asking:
		case <-ctx.Done():
			return nfs.OK, nfs.Attr{}, ctx.Err()
		}
	}
}

// inquire asks for an object's attributes, and returns what is known of them then.
func (e *Export) inquire(ctx context.Context, c *nfs.Caller, n *node) (nfs.Status, nfs.Attr, error) {
	var r nfs.GetAttrResult
	l, _ := n.look()
	err := e.outage.Ask(ctx, func(ctx context.Context) error {
		l, _ = n.look() // of the question that is answered
		return e.once(ctx, c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.handle}, &r)
	})
	if err != nil || r.Status != nfs.OK {
		return r.Status, nfs.Attr{}, err
	}
	n.learn(l, &r.Attr, e.until())
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.view.known {
		return nfs.OK, n.mu.view.attr, nil
	}
	return nfs.OK, r.Attr, nil
}

// note takes in attributes that came beside an answer, of an object that is known.
func (e *Export) note(n *node, l look, a *nfs.PostOpAttr) {
	if a.Follows {
		n.learn(l, &a.Value, e.until())
	}
}

// setAttr excludes WRITEs: the attributes that it answers are those of no other moment. A new size is a change of the content from there on.
func (e *Export) setAttr(ctx context.Context, c *nfs.Caller, a *nfs.SetAttrArgs, r *nfs.WccResult) error {
	n := e.table.use(a.Object)
	defer e.table.letGo(n)
	if err := n.order.Acquire(ctx, everything); err != nil {
		return err
	}
	defer n.order.Release(everything)
	call := func(ctx context.Context) error { return e.once(ctx, c, nfs.ProcSetAttr, a, r) }
	begun := n.begin()
	var err error
	if size := a.Attr.Size; size.Follows && size.Value < addressSpace {
		err = e.volumeOf(n).Alter(ctx, int64(size.Value), addressSpace-int64(size.Value), call)
	} else {
		err = e.outage.Ask(ctx, call)
	}
	if err != nil {
		n.abandon()
		return err
	}
	n.end(begun, &r.Wcc, 0, e.until())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.grants.revoke()
	return nil
}
