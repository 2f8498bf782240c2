package nfsmodel

import (
	"context"

	"forebay/protocols/nfs"
)

// at is what is at p; nil is nothing.
func (p place) at() *node { return p.dir.entries[p.name] }

// op is p on the wire.
func (p place) op() nfs.DirOp { return nfs.DirOp{Dir: p.dir.handle, Name: p.name} }

func (c *Checker) getAttr(ctx context.Context) error {
	return c.getAttrOf(ctx, c.client(), c.node(0))
}

func (c *Checker) getAttrOf(ctx context.Context, cl *client, n *node) error {
	s := c.begin(cl, []*node{n}, "GETATTR %s", n.path())
	var w want
	w.object(c, n)
	var r nfs.GetAttrResult
	if err := cl.do(ctx, nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.handle}, &r); err != nil {
		return err
	}
	if s.status(r.Status, &w); r.Status == nfs.OK {
		s.attr(n, &r.Attr)
	}
	return s.end()
}

func (c *Checker) lookup(ctx context.Context) error {
	d := c.node(nfs.Directory)
	name := c.nameIn(d)
	if d != c.base && c.chance(5) {
		name = oneOf(c, ".", "..")
	}
	return c.lookupOf(ctx, c.client(), place{d, name})
}

func (c *Checker) lookupOf(ctx context.Context, cl *client, p place) error {
	n := p.at()
	if p.dir.kind == nfs.Directory && p.dir != c.base && !p.dir.dead {
		switch p.name {
		case ".":
			n = p.dir
		case "..":
			n = p.dir.places[0].dir
		}
	}
	s := c.begin(cl, []*node{n, p.dir}, "LOOKUP %s", p.path())
	var w want
	w.directory(c, cl, p.dir, execute)
	w.name(p.name)
	if n == nil {
		w.must(nfs.ErrNoEnt)
	}
	if p.dir == c.base && (p.name == "." || p.name == "..") {
		w = want{any: true} // it leads outside
	}
	o := p.op()
	var r nfs.LookupResult
	if err := cl.do(ctx, nfs.ProcLookup, &o, &r); err != nil {
		return err
	}
	s.status(r.Status, &w)
	if r.Status == nfs.OK && n != nil {
		s.isHandle(n, r.Object)
		s.see(n, &r.Attr)
	}
	if !p.dir.dead {
		s.see(p.dir, &r.DirAttr)
	}
	return s.end()
}

func (c *Checker) access(ctx context.Context) error {
	cl, n := c.client(), c.node(0)
	asked := nfs.Access(c.random.Uint32N(64))
	s := c.begin(cl, []*node{n}, "ACCESS %s %#x", n.path(), asked)
	var w want
	w.object(c, n)
	var r nfs.AccessResult
	if err := cl.do(ctx, nfs.ProcAccess, &nfs.AccessArgs{Object: n.handle, Access: asked}, &r); err != nil {
		return err
	}
	if s.status(r.Status, &w); r.Status == nfs.OK {
		granted, certain := cl.accessOf(n)
		s.check(r.Access&^asked == 0, "it grants %#x, which was not asked for", r.Access&^asked)
		s.check(r.Access&certain == granted&asked, "it grants %#x, want %#x (of %#x)", r.Access&certain, granted&asked, certain)
	}
	s.see(n, &r.Attr)
	return s.end()
}

func (c *Checker) readLink(ctx context.Context) error {
	return c.readLinkOf(ctx, c.client(), c.node(nfs.SymbolicLink))
}

func (c *Checker) readLinkOf(ctx context.Context, cl *client, n *node) error {
	s := c.begin(cl, []*node{n}, "READLINK %s", n.path())
	var w want
	w.object(c, n)
	if n.kind != nfs.SymbolicLink {
		w.must(nfs.ErrInval)
	}
	var r nfs.ReadLinkResult
	if err := cl.do(ctx, nfs.ProcReadLink, &nfs.HandleArgs{Object: n.handle}, &r); err != nil {
		return err
	}
	if s.status(r.Status, &w); r.Status == nfs.OK {
		s.check(r.Path == n.target, "it leads to %q, want %q", r.Path, n.target)
	}
	n.atime.touch()
	s.see(n, &r.Attr)
	n.atime.touch()
	return s.end()
}

// askTheDead asks for what was removed.
func (c *Checker) askTheDead(ctx context.Context) error {
	if len(c.dead) == 0 {
		return c.getAttr(ctx)
	}
	cl, n := c.client(), oneOf(c, c.dead...)
	switch c.random.IntN(5) {
	case 0:
		return c.readOf(ctx, cl, n, 0, 4096)
	case 1:
		return c.writeTo(ctx, cl, n, 0, c.bytes(100), nfs.FileSync)
	case 2:
		return c.lookupOf(ctx, cl, place{n, "a"})
	case 3:
		return c.setAttrOf(ctx, cl, n, nfs.SetAttr{Mode: nfs.Some(uint32(0o600))}, false)
	}
	return c.getAttrOf(ctx, cl, n)
}
