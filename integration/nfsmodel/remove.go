package nfsmodel

import (
	"context"
	"errors"

	"forebay/protocols/nfs"
)

func (c *Checker) remove(ctx context.Context) error {
	d := c.node(nfs.Directory)
	return c.removeAt(ctx, c.client(), place{d, c.nameIn(d)})
}

func (c *Checker) removeAt(ctx context.Context, cl *client, p place) error {
	n := p.at()
	w := c.wantGone(cl, p)
	if n != nil && n.kind == nfs.Directory {
		w.must(nfs.ErrIsDir, nfs.ErrPerm, nfs.ErrInval, nfs.ErrNotEmpty, nfs.ErrExist)
	}
	return c.takeAway(ctx, cl, nfs.ProcRemove, p, &w)
}

func (c *Checker) rmdir(ctx context.Context) error {
	d := c.node(nfs.Directory)
	if d != c.base && c.chance(50) && len(d.places) > 0 {
		return c.rmdirAt(ctx, c.client(), d.places[0])
	}
	return c.rmdirAt(ctx, c.client(), place{d, c.nameIn(d)})
}

func (c *Checker) rmdirAt(ctx context.Context, cl *client, p place) error {
	n := p.at()
	w := c.wantGone(cl, p)
	switch {
	case n == nil:
	case n.kind != nfs.Directory:
		w.must(nfs.ErrNotDir)
	case len(n.entries) > 0:
		w.must(nfs.ErrNotEmpty, nfs.ErrExist)
	}
	return c.takeAway(ctx, cl, nfs.ProcRmdir, p, &w)
}

// wantGone: something is to be taken away from p.
func (c *Checker) wantGone(cl *client, p place) (w want) {
	w.directory(c, cl, p.dir, write|execute)
	w.newName(p.name)
	if p.at() == nil {
		w.must(nfs.ErrNoEnt)
	}
	return w
}

// takeAway asks for REMOVE or RMDIR.
func (c *Checker) takeAway(ctx context.Context, cl *client, proc nfs.Procedure, p place, w *want) error {
	s := c.begin(cl, []*node{p.at(), p.dir}, "%s %s", proc, p.path())
	o := p.op()
	var r nfs.WccResult
	if err := cl.do(ctx, proc, &o, &r); errors.Is(err, errUnknown) {
		return c.settleGone(ctx, s, p)
	} else if err != nil {
		return err
	}
	s.status(r.Status, w)
	if !p.dir.dead {
		s.before(p.dir, &r.Wcc)
	}
	if r.Status == nfs.OK && !w.refused {
		c.removed(p)
	}
	if !p.dir.dead {
		s.see(p.dir, &r.Wcc.After)
	}
	return s.end()
}
