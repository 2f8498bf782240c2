package nfstest

import "forebay/protocols/nfs"

// named finds what a directory that c may change has under a name.
func (m *Mem) named(c *nfs.Caller, a *nfs.DirOp) (dir, n *node, s nfs.Status) {
	if dir, s = m.findDir(c, a.Dir, mayWrite|mayExecute); s != nfs.OK {
		return dir, nil, s
	}
	if s = checkName(a.Name); s != nfs.OK {
		return dir, nil, s
	}
	if isDots(a.Name) {
		return dir, nil, nfs.ErrInval
	}
	n = dir.get(a.Name)
	switch {
	case n == nil:
		return dir, nil, nfs.ErrNoEnt
	case !n.mayRemove(c, dir):
		return dir, n, nfs.ErrAcces
	}
	return dir, n, nfs.OK
}

// leave takes a name away.
func (m *Mem) leave(dir *node, name string, n *node, now nfs.Time) {
	dir.drop(name)
	dir.mtime, dir.ctime = now, now
	m.unlink(n, now)
}

func (m *Mem) remove(c *nfs.Caller, a *nfs.DirOp, r *nfs.WccResult) nfs.Status {
	dir, n, s := m.named(c, a)
	defer m.watch(dir, &r.Wcc)()
	switch {
	case s != nfs.OK:
		return s
	case n.kind == nfs.Directory:
		return nfs.ErrIsDir
	}
	m.leave(dir, a.Name, n, m.tick())
	return nfs.OK
}

func (m *Mem) rmdir(c *nfs.Caller, a *nfs.DirOp, r *nfs.WccResult) nfs.Status {
	dir, n, s := m.named(c, a)
	defer m.watch(dir, &r.Wcc)()
	switch {
	case s != nfs.OK:
		return s
	case n.kind != nfs.Directory:
		return nfs.ErrNotDir
	case len(n.order) > 0:
		return nfs.ErrNotEmpty
	}
	m.leave(dir, a.Name, n, m.tick())
	return nfs.OK
}

func (m *Mem) link(c *nfs.Caller, a *nfs.LinkArgs, r *nfs.LinkResult) nfs.Status {
	n, s := m.find(a.File)
	if s != nfs.OK {
		return s
	}
	defer func() { r.Attr = m.postOp(n) }()
	dir, s := m.place(c, &a.Link)
	defer m.watch(dir, &r.DirWcc)()
	switch {
	case s != nfs.OK:
		return s
	case n.kind == nfs.Directory:
		return nfs.ErrIsDir
	case dir.get(a.Link.Name) != nil:
		return nfs.ErrExist
	}
	now := m.tick()
	n.nlink++
	n.ctime = now
	n.settle()
	m.enter(dir, a.Link.Name, n, now)
	return nfs.OK
}

func (m *Mem) rename(c *nfs.Caller, a *nfs.RenameArgs, r *nfs.RenameResult) nfs.Status {
	from, n, s := m.named(c, &a.From)
	defer m.watch(from, &r.FromDir)()
	to, old, toStatus := m.named(c, &a.To)
	defer m.watch(to, &r.ToDir)()
	switch {
	case s != nfs.OK:
		return s
	case toStatus != nfs.OK && toStatus != nfs.ErrNoEnt:
		return toStatus
	case old == n: // two names of one file, or one: nothing is to be done
		return nfs.OK
	}
	if s := replaceable(n, old, to); s != nfs.OK {
		return s
	}
	now := m.tick()
	if old != nil {
		m.leave(to, a.To.Name, old, now)
	}
	from.drop(a.From.Name)
	from.mtime, from.ctime = now, now
	if n.kind == nfs.Directory {
		from.nlink--
	}
	n.ctime = now
	n.settle()
	m.enter(to, a.To.Name, n, now)
	return nfs.OK
}

// replaceable says whether n may take the place of old, which may be nil, in a directory.
func replaceable(n, old, to *node) nfs.Status {
	if n.kind == nfs.Directory {
		for up := to; ; up = up.parent {
			if up == n {
				return nfs.ErrInval
			}
			if up == up.parent {
				break
			}
		}
	}
	switch {
	case old == nil:
		return nfs.OK
	case n.kind == nfs.Directory && old.kind != nfs.Directory:
		return nfs.ErrNotDir
	case n.kind != nfs.Directory && old.kind == nfs.Directory:
		return nfs.ErrIsDir
	case old.kind == nfs.Directory && len(old.order) > 0:
		return nfs.ErrNotEmpty
	}
	return nfs.OK
}
