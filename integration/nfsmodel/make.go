package nfsmodel

import (
	"context"
	"errors"
	"strings"

	"forebay/protocols/nfs"
)

// wantNew: something is to be made, or to be linked, at p.
func (c *Checker) wantNew(cl *client, p place) (w want) {
	w.directory(c, cl, p.dir, write|execute)
	w.newName(p.name)
	if p.at() != nil {
		w.must(nfs.ErrExist)
	}
	return w
}

func (c *Checker) mkdir(ctx context.Context) error {
	if c.full() {
		return c.rmdir(ctx)
	}
	cl := c.client()
	n := made(cl, nfs.Directory)
	attr := c.attrOfNew(n, directoryModes)
	return c.mkdirAt(ctx, cl, place{c.node(nfs.Directory), c.name()}, n, attr)
}

// mkdirAt makes n, whose attributes are attr.
func (c *Checker) mkdirAt(ctx context.Context, cl *client, p place, n *node, attr nfs.SetAttr) error {
	a := nfs.MkdirArgs{Where: p.op(), Attr: attr}
	s := c.begin(cl, []*node{p.at(), p.dir}, "MKDIR %s %s", p.path(), attrText(&a.Attr))
	w := c.wantNew(cl, p)
	return c.make(ctx, s, nfs.ProcMkdir, &a, p, n, &w)
}

func (c *Checker) symlink(ctx context.Context) error {
	if c.full() {
		return c.remove(ctx)
	}
	p := place{c.node(nfs.Directory), c.name()}
	return c.symlinkAt(ctx, c.client(), p, oneOf(c, "a", "../b", "/absolute/path", "nowhere at all", "ünïcode", "l/"+strings.Repeat("o/", 400)+"ng"))
}

func (c *Checker) symlinkAt(ctx context.Context, cl *client, p place, target string) error {
	n := made(cl, nfs.SymbolicLink)
	n.target, n.mode = target, 0o777
	a := nfs.SymlinkArgs{Where: p.op(), Attr: nfs.SetAttr{Mode: nfs.Some(uint32(0o777))}, Path: target}
	s := c.begin(cl, []*node{p.at(), p.dir}, "SYMLINK %s to %s", p.path(), quoted(target))
	w := c.wantNew(cl, p)
	return c.make(ctx, s, nfs.ProcSymlink, &a, p, n, &w)
}

// make asks for MKDIR or SYMLINK.
func (c *Checker) make(ctx context.Context, s *step, proc nfs.Procedure, a nfs.Message, p place, n *node, w *want) error {
	var r nfs.CreateResult
	if err := s.client.do(ctx, proc, a, &r); errors.Is(err, errUnknown) {
		return c.settleNew(ctx, s, p, n)
	} else if err != nil {
		return err
	}
	return c.created(ctx, s, p, n, w, &r, nil)
}

func (c *Checker) link(ctx context.Context) error {
	n := c.node(nfs.Regular)
	if c.chance(5) {
		n = c.node(0)
	}
	return c.linkAt(ctx, c.client(), n, place{c.node(nfs.Directory), c.name()})
}

func (c *Checker) linkAt(ctx context.Context, cl *client, n *node, p place) error {
	s := c.begin(cl, []*node{n, p.at(), p.dir}, "LINK %s as %s", n.path(), p.path())
	w := c.wantNew(cl, p)
	w.object(c, n)
	switch {
	case n.kind == nfs.Directory:
		w.must(nfs.ErrInval, nfs.ErrIsDir, nfs.ErrPerm, nfs.ErrNotSupp, nfs.ErrAcces, nfs.ErrBadType)
	case n.kind == nfs.SymbolicLink:
		w.may(nfs.ErrInval, nfs.ErrPerm, nfs.ErrNotSupp)
	case !cl.owns(n): // Linux's protected_hardlinks
		w.may(nfs.ErrPerm, nfs.ErrAcces)
	}
	var r nfs.LinkResult
	if err := cl.do(ctx, nfs.ProcLink, &nfs.LinkArgs{File: n.handle, Link: p.op()}, &r); errors.Is(err, errUnknown) {
		return c.settleLink(ctx, s, n, p)
	} else if err != nil {
		return err
	}
	s.status(r.Status, &w)
	if !p.dir.dead {
		s.before(p.dir, &r.DirWcc)
	}
	if r.Status == nfs.OK && !w.refused {
		c.linked(n, p)
	}
	s.see(n, &r.Attr)
	if !p.dir.dead {
		s.see(p.dir, &r.DirWcc.After)
	}
	return s.end()
}

func (c *Checker) linked(n *node, p place) {
	n.put(p)
	n.ctime.touch()
	p.dir.changed()
	c.worked(n)
}
