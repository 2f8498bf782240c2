package export

import (
	"context"
	"time"

	"forebay/protocols/nfs"
)

func (e *Export) lookupNow(c *nfs.Caller, a *nfs.DirOp, r *nfs.LookupResult) bool {
	dir := e.table.find(a.Dir)
	if dir == nil {
		return false
	}
	now := time.Now()
	h, attr := dir.remembered(c, a.Name, now)
	if h == nil {
		return false
	}
	child := e.table.find(h)
	if child == nil {
		return false
	}
	own, ok := child.attributes(now)
	if ok {
		*r = nfs.LookupResult{Object: h, Attr: nfs.Some(own), DirAttr: nfs.Some(attr)}
	}
	return ok
}

// remembered returns the handle behind a name of a directory, and the directory's attributes, or nil if the array has to be asked.
func (n *node) remembered(c *nfs.Caller, name string, now time.Time) (nfs.Handle, nfs.Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.mu.view.fresh(now) || !n.mu.grants.allows(c, mayLookup, now) {
		return nil, nfs.Attr{}
	}
	return n.mu.names[name], n.mu.view.attr
}

func (e *Export) lookup(ctx context.Context, c *nfs.Caller, a *nfs.DirOp, r *nfs.LookupResult) error {
	dir := e.table.use(a.Dir)
	defer e.table.letGo(dir)
	l, turns := dir.look()
	asked := e.table.turns.Load()
	err := e.outage.Ask(ctx, func(ctx context.Context) error {
		l, turns = dir.look()
		asked = e.table.turns.Load()
		return e.once(ctx, c, nfs.ProcLookup, a, r)
	})
	if err != nil {
		return err
	}
	e.note(dir, l, &r.DirAttr)
	if r.Status != nfs.OK {
		return nil
	}
	e.grant(dir, c, turns, mayLookup)
	if r.DirAttr.Follows {
		dir.remember(l, a.Name, r.Object)
	}
	e.meet(r.Object, asked, &r.Attr)
	return nil
}

// remember notes a name that the array answered a look for, unless the directory has been changed since.
func (n *node) remember(l look, name string, h nfs.Handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.quiet && l.turns == n.mu.view.turns {
		n.mu.names.enter(name, h)
	}
}

// meet takes in the attributes that came with an object's handle, if nothing was known of it since the array was asked: no node was put away.
func (e *Export) meet(h nfs.Handle, asked uint64, a *nfs.PostOpAttr) {
	if !a.Follows {
		return
	}
	n := e.table.use(h)
	defer e.table.letGo(n)
	n.mu.Lock()
	first := n.mu.view == (view{}) && e.table.turns.Load() == asked
	l := n.mu.view.look()
	n.mu.Unlock()
	if first {
		n.learn(l, &a.Value, e.until())
	}
}

func (e *Export) accessNow(c *nfs.Caller, a *nfs.AccessArgs, r *nfs.AccessResult) bool {
	n := e.table.find(a.Object)
	if n == nil {
		return false
	}
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.mu.grants.find(c, now)
	if g == nil || !n.mu.view.fresh(now) || a.Access&^g.asked != 0 {
		return false
	}
	*r = nfs.AccessResult{Attr: nfs.Some(n.mu.view.attr), Access: g.given & a.Access}
	return true
}

func (e *Export) access(ctx context.Context, c *nfs.Caller, a *nfs.AccessArgs, r *nfs.AccessResult) error {
	n := e.table.use(a.Object)
	defer e.table.letGo(n)
	l, turns := n.look()
	err := e.outage.Ask(ctx, func(ctx context.Context) error {
		l, turns = n.look()
		return e.once(ctx, c, nfs.ProcAccess, a, r)
	})
	if err != nil {
		return err
	}
	e.note(n, l, &r.Attr)
	if r.Status == nfs.OK && e.opts.AttributeCache > 0 {
		n.mu.Lock()
		defer n.mu.Unlock()
		if g := n.mu.grants.enter(c, turns, time.Now()); g != nil {
			g.asked |= a.Access
			g.given = g.given&^a.Access | r.Access&a.Access
		}
	}
	return nil
}
