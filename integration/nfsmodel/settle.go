package nfsmodel

import (
	"bytes"
	"context"

	"forebay/protocols/nfs"
)

// These settle steps of which it is unknown whether they were executed, by looking at what is there. No answer was missed that would have
// been wrong: a step that the model refuses must not have changed anything either.

// waitForStragglers lets what was sent over a lost connection be executed, if it is to be.
func (c *Checker) waitForStragglers(ctx context.Context) error {
	return pause(ctx, c.opts.Straggle)
}

// found is what is at p now.
func (c *Checker) found(ctx context.Context, s *step, p place) (*nfs.LookupResult, error) {
	s.answer = "no answer, settled"
	if err := c.waitForStragglers(ctx); err != nil {
		return nil, err
	}
	r, err := c.look(ctx, p)
	if err == nil {
		s.answer += "; " + p.path() + ": " + statusText(r.Status)
		ok := r.Status == nfs.OK && r.Attr.Follows || r.Status == nfs.ErrNoEnt || r.Status == nfs.ErrStale || r.Status == nfs.ErrNotDir || p.odd()
		s.check(ok, "a LOOKUP of %s afterwards: %s, attributes: %t", p.path(), statusText(r.Status), r.Attr.Follows)
	}
	return r, err
}

// odd says that p can't be.
func (p place) odd() bool {
	var w want
	w.newName(p.name)
	return w.refused || p.dir.dead
}

// settleNew: n was to be made at p.
func (c *Checker) settleNew(ctx context.Context, s *step, p place, n *node) error {
	p.dir.unsure()
	if p.at() != nil || p.odd() || p.dir.kind != nfs.Directory {
		return s.end()
	}
	r, err := c.found(ctx, s, p)
	if err != nil {
		return err
	}
	if r.Status == nfs.OK {
		h := nfs.Some(r.Object)
		if err := c.adopt(ctx, s, n, p, &h, &r.Attr); err != nil {
			return err
		}
	}
	return s.end()
}

// settleCreate: as settleNew, but it may have taken a file that was there.
func (c *Checker) settleCreate(ctx context.Context, s *step, p place, n *node, a *nfs.CreateArgs) error {
	old := p.at()
	if old == nil || old.kind != nfs.Regular || a.Mode != nfs.Unchecked {
		return c.settleNew(ctx, s, p, n)
	}
	p.dir.unsure()
	return c.settleAttr(ctx, s, old, &a.Attr)
}

// settleSetAttr: attributes of n were to be set.
func (c *Checker) settleSetAttr(ctx context.Context, s *step, n *node, a *nfs.SetAttr) error {
	if n.dead {
		return s.end()
	}
	return c.settleAttr(ctx, s, n, a)
}

// settleAttr: a was to be set all at once, or nothing of it. With only times to tell it by, they are what they are now.
func (c *Checker) settleAttr(ctx context.Context, s *step, n *node, a *nfs.SetAttr) error {
	s.answer = "no answer, settled"
	n.unsure()
	if err := c.waitForStragglers(ctx); err != nil {
		return err
	}
	var r nfs.GetAttrResult
	if err := c.clients[0].do(ctx, nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.handle}, &r); err != nil {
		return err
	}
	s.check(r.Status == nfs.OK, "a GETATTR afterwards: %s", statusText(r.Status))
	if a.Size.Follows && n.kind == nfs.Regular && r.Attr.Size == a.Size.Value {
		n.content.truncate(a.Size.Value)
	}
	for _, v := range []struct {
		set nfs.Optional[uint32]
		was *uint32
		is  uint32
	}{{a.Mode, &n.mode, r.Attr.Mode}, {a.UID, &n.uid, r.Attr.UID}, {a.GID, &n.gid, r.Attr.GID}} {
		if v.set.Follows && v.set.Value == v.is {
			*v.was = v.is
		}
	}
	n.mtime.forget()
	s.attr(n, &r.Attr)
	return s.end()
}

// settleGone: what is at p was to be taken away.
func (c *Checker) settleGone(ctx context.Context, s *step, p place) error {
	p.dir.unsure()
	n := p.at()
	if n == nil || p.dir.kind != nfs.Directory {
		return s.end()
	}
	n.unsure()
	r, err := c.found(ctx, s, p)
	if err != nil {
		return err
	}
	if r.Status == nfs.OK {
		s.isHandle(n, r.Object)
	} else {
		c.removed(p)
	}
	return s.end()
}

// settleLink: n was to be at p, too.
func (c *Checker) settleLink(ctx context.Context, s *step, n *node, p place) error {
	p.dir.unsure()
	n.unsure()
	if p.at() != nil || p.odd() || p.dir.kind != nfs.Directory {
		return s.end()
	}
	r, err := c.found(ctx, s, p)
	if err != nil {
		return err
	}
	if r.Status == nfs.OK {
		s.isHandle(n, r.Object)
		c.linked(n, p)
	}
	return s.end()
}

// settleRename: what is at from was to go to to.
func (c *Checker) settleRename(ctx context.Context, s *step, from, to place) error {
	n, over := from.at(), to.at()
	for _, o := range []*node{n, over, from.dir, to.dir} {
		if o != nil {
			o.unsure()
		}
	}
	if n == nil || to.odd() || n == over || to.dir.kind != nfs.Directory {
		return s.end()
	}
	r, err := c.found(ctx, s, to)
	if err != nil {
		return err
	}
	if r.Status != nfs.OK || !bytes.Equal(r.Object, n.handle) {
		return s.end() // what else is wrong shows when it is asked for
	}
	c.renamed(from, to)
	return s.end()
}

// unsure says that n may have changed.
func (n *node) unsure() {
	n.atime.touch()
	n.changed()
}
