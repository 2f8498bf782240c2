package nfstest

import (
	"slices"

	"forebay/protocols/nfs"
)

// permission is a set of mode bits, those of others.
type permission uint32

const (
	mayExecute permission = 1 << iota
	mayWrite
	mayRead
)

const (
	sticky = 0o1000
	setGID = 0o2000
)

// allows says whether the mode bits let c do all of need. Root may do anything, but execute no file that nobody may execute.
func (n *node) allows(c *nfs.Caller, need permission) bool {
	bits := permission(n.mode)
	switch {
	case c.UID == 0:
		return need&mayExecute == 0 || n.kind == nfs.Directory || n.mode&0o111 != 0
	case c.UID == n.uid:
		bits >>= 6
	case n.hasGroupOf(c):
		bits >>= 3
	}
	return bits&need == need
}

func (n *node) hasGroupOf(c *nfs.Caller) bool { return inGroup(c, n.gid) }

func inGroup(c *nfs.Caller, gid uint32) bool { return c.GID == gid || slices.Contains(c.GIDs, gid) }

// owned says whether c may do what only an owner may.
func (n *node) owned(c *nfs.Caller) bool { return c.UID == 0 || c.UID == n.uid }

// opens says whether c may READ or WRITE: an owner may whatever the mode is, as the file may have been open before that was changed.
func (n *node) opens(c *nfs.Caller, need permission) bool { return n.owned(c) || n.allows(c, need) }

// mayRemove says whether c, who may write to the directory, may take n out of it.
func (n *node) mayRemove(c *nfs.Caller, dir *node) bool {
	return dir.mode&sticky == 0 || dir.owned(c) || n.owned(c)
}

func (m *Mem) access(c *nfs.Caller, a *nfs.AccessArgs, r *nfs.AccessResult) nfs.Status {
	n, s := m.find(a.Object)
	if s != nfs.OK {
		return s
	}
	r.Attr = m.postOp(n)
	grant := nfs.Access(0)
	add := func(need permission, what nfs.Access) {
		if n.allows(c, need) {
			grant |= what
		}
	}
	add(mayRead, nfs.AccessRead)
	if n.kind == nfs.Directory {
		add(mayExecute, nfs.AccessLookup)
		add(mayWrite|mayExecute, nfs.AccessModify|nfs.AccessExtend|nfs.AccessDelete)
	} else {
		add(mayWrite, nfs.AccessModify|nfs.AccessExtend)
		add(mayExecute, nfs.AccessExecute)
	}
	r.Access = grant & a.Access
	return nfs.OK
}
