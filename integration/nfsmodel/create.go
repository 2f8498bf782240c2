package nfsmodel

import (
	"context"
	"errors"

	"forebay/protocols/nfs"
)

// Modes are such that owners keep what it takes to clean up.
var (
	fileModes      = []uint32{0o644, 0o600, 0o666, 0o444, 0o400, 0o640, 0o755, 0o711, 0}
	directoryModes = []uint32{0o755, 0o777, 0o777, 0o700, 0o711, 0o733, 0o770}
)

// made is what cl makes: an object whose owner it is.
func made(cl *client, kind nfs.FileType) *node {
	n := &node{kind: kind, uid: cl.caller.UID, gid: cl.caller.GID, modeFree: true}
	if kind == nfs.Directory {
		n.entries = make(map[string]*node)
	}
	return n
}

// attrOfNew chooses attributes for something new, and sets them in the model of it.
func (c *Checker) attrOfNew(n *node, modes []uint32) (a nfs.SetAttr) {
	if c.chance(90) {
		a.Mode = nfs.Some(oneOf(c, modes...))
	}
	if n.uid == 0 && c.chance(5) {
		a.UID, a.GID = nfs.Some(oneOf[uint32](c, 0, 1001, 1002)), nfs.Some(oneOf[uint32](c, 0, 1001, 2001))
	}
	if n.kind == nfs.Regular && n.uid == 0 && c.chance(10) {
		a.Size = nfs.Some(c.random.Uint64N(100_000))
	}
	if c.chance(5) {
		a.Mtime = nfs.SetTime{How: nfs.SetToClientTime, Time: c.time()}
	}
	n.set(&a)
	return a
}

func (c *Checker) create(ctx context.Context) error {
	if c.full() {
		return c.remove(ctx)
	}
	p := place{c.node(nfs.Directory), c.name()}
	if c.chance(20) {
		p.name = c.nameIn(p.dir)
	}
	return c.createAt(ctx, c.client(), p, nfs.CreateMode(c.random.IntN(3)))
}

func (c *Checker) createAt(ctx context.Context, cl *client, p place, how nfs.CreateMode) error {
	n, old := made(cl, nfs.Regular), p.at()
	a := nfs.CreateArgs{Where: p.op(), Mode: how}
	switch {
	case how == nfs.Exclusive && old != nil && old.verifier != nil && c.chance(50):
		a.Verifier = *old.verifier
	case how == nfs.Exclusive:
		a.Verifier = nfs.Verifier(c.bytes(8))
		n.verifier = &a.Verifier
	case old == nil:
		a.Attr = c.attrOfNew(n, fileModes)
	default:
		a.Attr = c.attrOfOld(cl, old)
	}
	s := c.begin(cl, []*node{old, p.dir}, "CREATE %s %s %s", [...]string{"UNCHECKED", "GUARDED", "EXCLUSIVE"}[how], p.path(), attrText(&a.Attr))
	w := c.wantCreate(cl, p, &a)
	var r nfs.CreateResult
	if err := cl.do(ctx, nfs.ProcCreate, &a, &r); errors.Is(err, errUnknown) {
		return c.settleCreate(ctx, s, p, n, &a)
	} else if err != nil {
		return err
	}
	return c.created(ctx, s, p, n, &w, &r, func() { old.opened(&a.Attr) })
}

// attrOfOld chooses attributes for a file that is there already: whether it is emptied, and a mode that servers may set.
func (c *Checker) attrOfOld(cl *client, old *node) (a nfs.SetAttr) {
	if c.chance(50) && (cl.permitted(old, write) || !c.opts.RefusedCreateEmpties) {
		a.Size = nfs.Some(uint64(0))
	}
	if c.chance(50) {
		a.Mode = nfs.Some(oneOf(c, fileModes...))
	}
	return a
}

// wantCreate: UNCHECKED takes a file that is there, and EXCLUSIVE the one that it has made itself.
func (c *Checker) wantCreate(cl *client, p place, a *nfs.CreateArgs) (w want) {
	w.directory(c, cl, p.dir, execute)
	w.newName(p.name)
	old := p.at()
	writable := p.dir.kind != nfs.Directory || cl.permitted(p.dir, write)
	switch {
	case old == nil && !writable:
		w.must(nfs.ErrAcces, nfs.ErrPerm)
	case old == nil:
	case old.kind == nfs.Regular && a.Mode == nfs.Unchecked:
		w.takes(cl, old, a)
	case a.Mode == nfs.Exclusive && old.verifier != nil && *old.verifier == a.Verifier: // it is ours, or another client's that said the same
		w.may(nfs.ErrExist, nfs.ErrAcces, nfs.ErrPerm)
	case old.kind != nfs.Regular && a.Mode == nfs.Unchecked:
		w.must(nfs.ErrExist, nfs.ErrIsDir, nfs.ErrInval, nfs.ErrBadType)
	default:
		w.must(nfs.ErrExist)
	}
	if !writable {
		w.may(nfs.ErrAcces, nfs.ErrPerm)
	}
	return w
}

// takes: UNCHECKED of a file that is there, and may not be the client's to change.
func (w *want) takes(cl *client, old *node, a *nfs.CreateArgs) {
	if a.Attr.Size.Follows {
		w.data(cl, old, write)
	}
	if !cl.owns(old) || !cl.permitted(old, write) || !cl.permitted(old, read) {
		w.may(nfs.ErrAcces, nfs.ErrPerm)
	}
}

// opened is what UNCHECKED does to a file that is there.
func (n *node) opened(a *nfs.SetAttr) {
	if a.Size.Follows {
		n.content.truncate(0)
		n.changed()
	}
	if a.Mode.Follows {
		n.otherMode = &a.Mode.Value
	}
	n.atime.touch()
	n.ctime.touch()
}

// created takes in the answer of what makes things. With something there already, open is what it does to that.
func (c *Checker) created(ctx context.Context, s *step, p place, n *node, w *want, r *nfs.CreateResult, open func()) error {
	s.status(r.Status, w)
	if !p.dir.dead {
		s.before(p.dir, &r.DirWcc)
	}
	old := p.at()
	switch {
	case r.Status != nfs.OK || w.refused:
	case old != nil:
		open()
		if r.Object.Follows {
			s.isHandle(old, r.Object.Value)
		}
		s.see(old, &r.Attr)
	default:
		if err := c.adopt(ctx, s, n, p, &r.Object, &r.Attr); err != nil {
			return err
		}
	}
	if !p.dir.dead {
		s.see(p.dir, &r.DirWcc.After)
	}
	return s.end()
}
