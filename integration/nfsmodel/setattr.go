package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"forebay/protocols/nfs"
)

func (c *Checker) setAttr(ctx context.Context) error {
	kind := nfs.Regular
	if c.chance(15) {
		kind = nfs.Directory
	}
	cl, n := c.client(), c.node(kind)
	return c.setAttrOf(ctx, cl, n, c.chooseAttr(n), c.chance(10))
}

func (c *Checker) chooseAttr(n *node) (a nfs.SetAttr) {
	if n.kind == nfs.Regular && c.chance(60) {
		a.Size = nfs.Some(c.newSize(n))
	}
	if c.chance(25) {
		modes := fileModes
		if n.kind == nfs.Directory {
			modes = directoryModes
		}
		a.Mode = nfs.Some(oneOf(c, modes...))
	}
	for _, t := range []*nfs.SetTime{&a.Atime, &a.Mtime} {
		if c.chance(15) {
			*t = nfs.SetTime{How: oneOf(c, nfs.SetToServerTime, nfs.SetToClientTime), Time: c.time()}
		}
	}
	if c.chance(4) {
		a.UID = nfs.Some(oneOf[uint32](c, 0, 1001, 1002))
		a.GID = nfs.Some(oneOf[uint32](c, 0, 1001, 2001))
	}
	return a
}

func (c *Checker) newSize(n *node) uint64 {
	size := n.content.size
	switch c.random.IntN(6) {
	case 0:
		return 0
	case 1:
		return size
	case 2:
		return size + c.random.Uint64N(200_000)
	case 3:
		return size - min(size, c.random.Uint64N(5000))
	}
	return c.random.Uint64N(min(size, usualSize) + 1)
}

func (c *Checker) setAttrOf(ctx context.Context, cl *client, n *node, attr nfs.SetAttr, guard bool) error {
	a := nfs.SetAttrArgs{Object: n.handle, Attr: attr}
	w := c.wantSetAttr(cl, n, &attr)
	if guard && n.ctime.exact && !c.opts.TimesAdvance {
		a.Guard = nfs.Some(n.ctime.last)
		if c.chance(50) {
			a.Guard.Value.Seconds--
			w.must(nfs.ErrNotSync)
		}
	}
	s := c.begin(cl, []*node{n}, "SETATTR %s %s guard %t", n.path(), attrText(&attr), a.Guard.Follows)
	var r nfs.WccResult
	if err := cl.do(ctx, nfs.ProcSetAttr, &a, &r); errors.Is(err, errUnknown) {
		return c.settleSetAttr(ctx, s, n, &attr)
	} else if err != nil {
		return err
	}
	s.status(r.Status, &w)
	s.before(n, &r.Wcc)
	if r.Status == nfs.OK && !w.refused {
		n.set(&attr)
		if !n.dead {
			c.worked(n)
		}
	}
	s.see(n, &r.Wcc.After)
	return s.end()
}

// wantSetAttr: owners may set all but the owner; who may write may also set the size, and times to now.
func (c *Checker) wantSetAttr(cl *client, n *node, a *nfs.SetAttr) (w want) {
	w.object(c, n)
	if a.Size.Follows {
		if n.kind != nfs.Regular {
			w.must(nfs.ErrInval, nfs.ErrIsDir)
		}
		w.data(cl, n, write)
	}
	times := a.Atime.How != nfs.DontChange || a.Mtime.How != nfs.DontChange
	switch {
	case cl.caller.UID == 0:
	case cl.gives(n, a), !cl.owns(n) && a.Mode.Follows, !cl.owns(n) && times && !cl.permitted(n, write):
		w.must(nfs.ErrPerm, nfs.ErrAcces)
	case !cl.owns(n) && (a.Atime.How == nfs.SetToClientTime || a.Mtime.How == nfs.SetToClientTime):
		w.must(nfs.ErrPerm, nfs.ErrAcces)
	case !cl.owns(n) && times, a.UID.Follows, a.GID.Follows:
		w.may(nfs.ErrPerm, nfs.ErrAcces)
	}
	if n.kind == nfs.SymbolicLink {
		w.may(nfs.ErrInval, nfs.ErrNotSupp)
	}
	return w
}

// gives says whether a user gives n away, which only root may: owners may just change the group, to another one that they are in.
func (cl *client) gives(n *node, a *nfs.SetAttr) bool {
	uid, gid := a.UID.Value, a.GID.Value
	group := gid == n.gid || gid == cl.caller.GID || slices.Contains(cl.caller.GIDs, gid)
	return a.UID.Follows && (uid != n.uid || !cl.owns(n)) || a.GID.Follows && (!group || !cl.owns(n))
}

// set is what a SETATTR does.
func (n *node) set(a *nfs.SetAttr) {
	if a.Size.Follows {
		n.content.truncate(a.Size.Value)
		n.changed()
	}
	if a.UID.Follows {
		n.uid = a.UID.Value
	}
	if a.GID.Follows {
		n.gid = a.GID.Value
	}
	if n.kind == nfs.SymbolicLink { // servers may leave its mode and times alone
		n.mtime.forget()
		n.ctime.touch()
		return
	}
	if a.Mode.Follows {
		n.mode, n.modeFree, n.otherMode = a.Mode.Value, false, nil
	}
	n.atime.apply(a.Atime)
	n.mtime.apply(a.Mtime)
	n.ctime.touch()
	n.verifier = nil
}

// apply sets the time as a SETATTR says.
func (k *clock) apply(t nfs.SetTime) {
	switch t.How {
	case nfs.SetToServerTime:
		k.touch()
	case nfs.SetToClientTime:
		k.setTo(t.Time)
	}
}

func attrText(a *nfs.SetAttr) string {
	var words []string
	add := func(follows bool, format string, args ...any) {
		if follows {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(a.Size.Follows, "size %d", a.Size.Value)
	add(a.Mode.Follows, "mode %o", a.Mode.Value)
	add(a.UID.Follows, "uid %d", a.UID.Value)
	add(a.GID.Follows, "gid %d", a.GID.Value)
	add(a.Atime.How == nfs.SetToServerTime, "atime now")
	add(a.Mtime.How == nfs.SetToServerTime, "mtime now")
	add(a.Atime.How == nfs.SetToClientTime, "atime %s", timeText(a.Atime.Time))
	add(a.Mtime.How == nfs.SetToClientTime, "mtime %s", timeText(a.Mtime.Time))
	return "{" + strings.Join(words, ", ") + "}"
}
