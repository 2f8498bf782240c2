package export

import (
	"bytes"
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
	return n.mu.names.get(name), n.mu.view.attr
}

func (e *Export) lookup(ctx context.Context, c *nfs.Caller, a *nfs.DirOp, r *nfs.LookupResult) error {
	dir := e.table.use(a.Dir)
	defer e.table.letGo(dir)
	var q question
	var asked uint64
	err := e.outage.Ask(ctx, func(ctx context.Context) error {
		q, asked = dir.ask(), e.table.turns.Load() // of the question that is answered
		return e.once(ctx, c, nfs.ProcLookup, a, r)
	})
	if err != nil {
		return err
	}
	e.note(dir, &q, &r.DirAttr)
	dir.unlearn(a.Name, r)
	if r.Status != nfs.OK {
		return nil
	}
	e.grant(dir, c, &q, mayLookup)
	if r.DirAttr.Follows {
		dir.remember(&q, a.Name, r.Object)
	}
	e.meet(r.Object, asked, &r.Attr)
	return nil
}

// unlearn forgets a name that leads elsewhere, or nowhere, by now, though the directory may not show it.
func (n *node) unlearn(name string, r *nfs.LookupResult) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.Status == nfs.ErrNoEnt || r.Status == nfs.OK && !bytes.Equal(r.Object, n.mu.names.get(name)) {
		n.mu.names.remove(name)
	}
}

// remember notes a name that the array answered a look for, unless the directory has been changed since.
func (n *node) remember(q *question, name string, h nfs.Handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if q.quiet && q.turns == n.mu.view.turns && q.news == n.mu.view.news {
		n.mu.names.enter(name, h)
	}
}

// meet takes in the attributes that came with an object's handle, if nothing was known of it since the array was asked.
func (e *Export) meet(h nfs.Handle, asked uint64, a *nfs.PostOpAttr) {
	if !a.Follows {
		return
	}
	n := e.table.use(h)
	defer e.table.letGo(n)
	q := n.ask()
	if n.first(asked) {
		e.note(n, &q, a)
	}
}

// first says whether nothing has been known of an object since the array was asked: neither here, nor by a node that was put away.
func (n *node) first(asked uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.isFirst(asked)
}

// isFirst is first with n.mu held.
func (n *node) isFirst(asked uint64) bool { return n.mu.view == (view{}) && n.born <= asked }

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
	var q question
	err := e.outage.Ask(ctx, func(ctx context.Context) error {
		q = n.ask()
		return e.once(ctx, c, nfs.ProcAccess, a, r)
	})
	if err != nil {
		return err
	}
	e.note(n, &q, &r.Attr)
	if r.Status == nfs.OK && e.opts.AttributeCache > 0 {
		n.mu.Lock()
		defer n.mu.Unlock()
		if g := n.mu.grants.enter(c, q.rights, time.Now()); g != nil {
			g.asked |= a.Access
			g.given = g.given&^a.Access | r.Access&a.Access
		}
	}
	return nil
}
