package nfstest

import "forebay/protocols/nfs"

// node is a file, directory or anything else that has a handle. All of it is guarded by Mem.mu.
type node struct {
	id           uint64
	kind         nfs.FileType
	mode         uint32
	nlink        uint32
	uid, gid     uint32
	rdev         nfs.Device
	atime, mtime nfs.Time
	ctime        nfs.Time

	file     file         // of a regular file
	verifier nfs.Verifier // of the exclusive CREATE that made it, if sealed
	sealed   bool
	target   string // of a symbolic link

	directory       // of a directory
	parent    *node // of a directory
}

// newNode makes a node that has no name yet.
func (m *Mem) newNode(kind nfs.FileType, c *nfs.Caller, now nfs.Time) *node {
	m.mu.lastID++
	n := &node{id: m.mu.lastID, kind: kind, nlink: 1, uid: c.UID, gid: c.GID, atime: now, mtime: now, ctime: now}
	switch kind {
	case nfs.Directory:
		n.directory = newDirectory()
	case nfs.Regular:
		n.file = newFile()
	}
	return n
}

func (m *Mem) attr(n *node) nfs.Attr {
	a := nfs.Attr{Type: n.kind, Mode: n.mode, Nlink: n.nlink, UID: n.uid, GID: n.gid, Rdev: n.rdev, FSID: m.opts.FSID, FileID: n.id,
		Atime: n.atime, Mtime: n.mtime, Ctime: n.ctime}
	switch n.kind {
	case nfs.Regular:
		a.Size, a.Used = n.file.size, uint64(len(n.file.pages))*pageSize
	case nfs.Directory:
		a.Size, a.Used = pageSize, pageSize
	case nfs.SymbolicLink:
		a.Size = uint64(len(n.target))
	}
	return a
}

func (m *Mem) postOp(n *node) nfs.PostOpAttr {
	if n == nil {
		return nfs.PostOpAttr{}
	}
	return nfs.Some(m.attr(n))
}

// watch notes how n is now, and returns what completes w once the operation is over. n may be nil.
func (m *Mem) watch(n *node, w *nfs.WccData) (over func()) {
	if n == nil {
		return func() {}
	}
	a := m.attr(n)
	w.Before = nfs.Some(nfs.WccAttr{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime})
	return func() { w.After = m.postOp(n) }
}

// unlink takes a name's share in a node away; with its last name its handle goes stale.
func (m *Mem) unlink(n *node, now nfs.Time) {
	n.nlink--
	n.ctime = now
	n.settle()
	if n.kind == nfs.Directory {
		n.parent.nlink--
		n.nlink = 0
	}
	if n.nlink == 0 {
		m.mu.pages -= uint64(len(n.file.pages))
		delete(m.mu.nodes, n.id)
	}
}
