package nfstest

import "forebay/protocols/nfs"

// place finds the directory in which a name is to be made. It returns it besides a status that is not OK if its attributes are to be
// told.
func (m *Mem) place(c *nfs.Caller, where *nfs.DirOp) (*node, nfs.Status) {
	dir, s := m.findDir(c, where.Dir, mayWrite|mayExecute)
	if s != nfs.OK {
		return dir, s
	}
	if isDots(where.Name) {
		return dir, nfs.ErrExist
	}
	return dir, checkName(where.Name)
}

// make makes a node in a directory; attr is what the client wants of it.
func (m *Mem) make(c *nfs.Caller, dir *node, name string, kind nfs.FileType, attr *nfs.SetAttr) (*node, nfs.Status) {
	now := m.tick()
	n := m.newNode(kind, c, now)
	if dir.mode&setGID != 0 {
		n.gid = dir.gid
		if kind == nfs.Directory {
			n.mode = setGID
		}
	}
	if s := n.maySet(c, attr); s != nfs.OK {
		return nil, s
	}
	inherited := n.mode
	m.set(n, attr, now)
	n.mode |= inherited
	m.mu.nodes[n.id] = n
	m.enter(dir, name, n, now)
	return n, nfs.OK
}

// enter gives a node a name.
func (m *Mem) enter(dir *node, name string, n *node, now nfs.Time) {
	dir.put(name, n)
	dir.mtime, dir.ctime = now, now
	if n.kind == nfs.Directory {
		n.parent, n.nlink = dir, max(n.nlink, 2)
		dir.nlink++
	}
}

// made fills in a result.
func (m *Mem) made(r *nfs.CreateResult, n *node) {
	r.Object, r.Attr = nfs.Some(m.handle(n)), m.postOp(n)
}

// createNew is CREATE, MKDIR, SYMLINK and MKNOD of a name that must be free.
func (m *Mem) createNew(c *nfs.Caller, where *nfs.DirOp, kind nfs.FileType, attr *nfs.SetAttr, r *nfs.CreateResult) (*node, nfs.Status) {
	dir, s := m.place(c, where)
	defer m.watch(dir, &r.DirWcc)()
	if s == nfs.OK && dir.get(where.Name) != nil {
		s = nfs.ErrExist
	}
	if s != nfs.OK {
		return nil, s
	}
	n, s := m.make(c, dir, where.Name, kind, attr)
	return n, s
}

func (m *Mem) create(c *nfs.Caller, a *nfs.CreateArgs, r *nfs.CreateResult) nfs.Status {
	dir, _ := m.place(c, &a.Where)
	var old *node
	if dir != nil {
		old = dir.get(a.Where.Name)
	}
	if old != nil {
		return m.createOver(c, a, old, r)
	}
	n, s := m.createNew(c, &a.Where, nfs.Regular, &a.Attr, r)
	if s == nfs.OK {
		n.sealed, n.verifier = a.Mode == nfs.Exclusive, a.Verifier
		m.made(r, n)
	}
	return s
}

// createOver is CREATE of a name that there is.
func (m *Mem) createOver(c *nfs.Caller, a *nfs.CreateArgs, old *node, r *nfs.CreateResult) nfs.Status {
	dir, s := m.findDir(c, a.Where.Dir, mayExecute)
	defer m.watch(dir, &r.DirWcc)()
	switch {
	case s != nfs.OK:
		return s
	case a.Mode == nfs.Guarded || old.kind != nfs.Regular,
		a.Mode == nfs.Exclusive && (!old.sealed || old.verifier != a.Verifier):
		return nfs.ErrExist
	case a.Mode == nfs.Unchecked: // of the attributes only the size is for a file that exists
		size := nfs.SetAttr{Size: a.Attr.Size}
		if s := old.maySet(c, &size); s != nfs.OK {
			return s
		}
		m.set(old, &size, m.tick())
	}
	m.made(r, old)
	return nfs.OK
}

func (m *Mem) mkdir(c *nfs.Caller, a *nfs.MkdirArgs, r *nfs.CreateResult) nfs.Status {
	attr := a.Attr
	attr.Size = nfs.Optional[uint64]{}
	n, s := m.createNew(c, &a.Where, nfs.Directory, &attr, r)
	if s == nfs.OK {
		m.made(r, n)
	}
	return s
}

func (m *Mem) symlink(c *nfs.Caller, a *nfs.SymlinkArgs, r *nfs.CreateResult) nfs.Status {
	if len(a.Path) > nfs.MaxPath {
		return nfs.ErrNameTooLong
	}
	attr := a.Attr
	attr.Size = nfs.Optional[uint64]{}
	n, s := m.createNew(c, &a.Where, nfs.SymbolicLink, &attr, r)
	if s == nfs.OK {
		n.target, n.mode = a.Path, 0o777
		m.made(r, n)
	}
	return s
}

func (m *Mem) mknod(c *nfs.Caller, a *nfs.MknodArgs, r *nfs.CreateResult) nfs.Status {
	switch a.Type {
	case nfs.BlockDevice, nfs.CharacterDevice:
		if c.UID != 0 {
			return nfs.ErrPerm
		}
	case nfs.Socket, nfs.FIFO:
	default:
		return nfs.ErrBadType
	}
	attr := a.Attr
	attr.Size = nfs.Optional[uint64]{}
	n, s := m.createNew(c, &a.Where, a.Type, &attr, r)
	if s == nfs.OK {
		n.rdev = a.Device
		m.made(r, n)
	}
	return s
}

func (m *Mem) readLink(a *nfs.HandleArgs, r *nfs.ReadLinkResult) nfs.Status {
	n, s := m.find(a.Object)
	if s != nfs.OK {
		return s
	}
	r.Attr = m.postOp(n)
	if n.kind != nfs.SymbolicLink {
		return nfs.ErrInval
	}
	r.Path = n.target
	return nfs.OK
}
