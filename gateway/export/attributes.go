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

// note takes in attributes that came beside an answer, of an object that is known.
func (e *Export) note(n *node, q *question, a *nfs.PostOpAttr) {
	if a.Follows {
		n.learn(q, &a.Value, e.opts.AttributeCache)
	}
}

// setAttr excludes WRITEs: the attributes that it answers are those of no other moment. A new size is a change of the content from there on.
// Rights are taken back whatever comes of it.
func (e *Export) setAttr(ctx context.Context, c *nfs.Caller, a *nfs.SetAttrArgs, r *nfs.WccResult) error {
	n := e.table.use(a.Object)
	defer e.table.letGo(n)
	if err := n.order.Acquire(ctx, everything); err != nil {
		return err
	}
	defer n.order.Release(everything)
	defer n.revoke()
	begun, err := e.begin(ctx, n)
	if err != nil {
		return err
	}
	call := func(ctx context.Context) error {
		err := e.once(ctx, c, nfs.ProcSetAttr, a, r)
		if err == nil {
			e.end(n, begun, &r.Wcc, 0) // before anybody reads what it has made of the content
		}
		return err
	}
	if size := a.Attr.Size; size.Follows && size.Value < addressSpace {
		err = e.volumeOf(n).Alter(ctx, int64(size.Value), addressSpace-int64(size.Value), call)
	} else {
		err = e.outage.Ask(ctx, call)
	}
	if err != nil {
		e.abandon(n, begun)
	}
	return err
}
