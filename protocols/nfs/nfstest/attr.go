package nfstest

import "forebay/protocols/nfs"

func (m *Mem) getAttr(a *nfs.HandleArgs, r *nfs.GetAttrResult) nfs.Status {
	n, s := m.find(a.Object)
	if s == nfs.OK {
		r.Attr = m.attr(n)
	}
	return s
}

func (m *Mem) setAttr(c *nfs.Caller, a *nfs.SetAttrArgs, r *nfs.WccResult) nfs.Status {
	n, s := m.find(a.Object)
	if s != nfs.OK {
		return s
	}
	defer m.watch(n, &r.Wcc)()
	if a.Guard.Follows && a.Guard.Value != n.ctime {
		return nfs.ErrNotSync
	}
	if s := n.maySet(c, &a.Attr); s != nfs.OK {
		return s
	}
	m.set(n, &a.Attr, m.tick())
	return nfs.OK
}

// maySet says whether c may set these attributes of n. Who may WRITE may set the size, and times to now.
func (n *node) maySet(c *nfs.Caller, a *nfs.SetAttr) nfs.Status {
	switch {
	case a.Mode.Follows && !n.owned(c),
		a.UID.Follows && c.UID != 0 && (a.UID.Value != n.uid || c.UID != n.uid),
		a.GID.Follows && c.UID != 0 && (c.UID != n.uid || a.GID.Value != n.gid && !inGroup(c, a.GID.Value)),
		(a.Atime.How == nfs.SetToClientTime || a.Mtime.How == nfs.SetToClientTime) && !n.owned(c):
		return nfs.ErrPerm
	case a.Size.Follows && n.kind == nfs.Directory:
		return nfs.ErrIsDir
	case a.Size.Follows && n.kind != nfs.Regular:
		return nfs.ErrInval
	case a.Size.Follows && a.Size.Value > maxFileSize:
		return nfs.ErrFBig
	case (a.Size.Follows || a.Atime.How == nfs.SetToServerTime || a.Mtime.How == nfs.SetToServerTime) && !n.opens(c, mayWrite):
		return nfs.ErrAcces
	}
	return nfs.OK
}

// set sets attributes; every change shows in ctime, one of the size in mtime.
func (m *Mem) set(n *node, a *nfs.SetAttr, now nfs.Time) {
	if *a == (nfs.SetAttr{}) {
		return
	}
	n.ctime = now
	if a.Mode.Follows {
		n.mode = a.Mode.Value & 0o7777
	}
	if a.UID.Follows {
		n.uid = a.UID.Value
	}
	if a.GID.Follows {
		n.gid = a.GID.Value
	}
	if a.Size.Follows {
		m.mu.pages -= uint64(len(n.file.pages))
		n.file.truncate(a.Size.Value)
		m.mu.pages += uint64(len(n.file.pages))
		n.mtime = now
	}
	setTime(&n.atime, &a.Atime, now)
	setTime(&n.mtime, &a.Mtime, now)
	n.settle()
}

func setTime(t *nfs.Time, to *nfs.SetTime, now nfs.Time) {
	switch to.How {
	case nfs.SetToServerTime:
		*t = now
	case nfs.SetToClientTime:
		*t = to.Time
	}
}
