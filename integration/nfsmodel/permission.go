package nfsmodel

import (
	"slices"

	"forebay/protocols/nfs"
)

// Permissions, as in one digit of a mode.
const (
	read    uint32 = 4
	write   uint32 = 2
	execute uint32 = 1
)

// permitted says whether the mode of n grants the client need. Root is granted all but the execution of what nobody may execute.
func (cl *client) permitted(n *node, need uint32) bool {
	if cl.caller.UID == 0 {
		return need&execute == 0 || n.kind == nfs.Directory || n.mode&0o111 != 0
	}
	bits := n.mode
	switch {
	case cl.caller.UID == n.uid:
		bits >>= 6
	case cl.caller.GID == n.gid || slices.Contains(cl.caller.GIDs, n.gid):
		bits >>= 3
	}
	return bits&need == need
}

// owns says whether the client may do what only owners may.
func (cl *client) owns(n *node) bool { return cl.caller.UID == 0 || cl.caller.UID == n.uid }

// data: the client wants to read or write the data of n. A file's owner may have been granted that with the file open, so servers may let
// owners pass; and who may execute has to read (RFC 1813 4.4).
func (w *want) data(cl *client, n *node, need uint32) {
	switch {
	case cl.permitted(n, need):
	case cl.owns(n), need == read && cl.permitted(n, execute):
		w.may(nfs.ErrAcces)
	default:
		w.must(nfs.ErrAcces, nfs.ErrPerm)
	}
}

// accessOf is what ACCESS has to say of n, and which bits of it are certain: the others are of no meaning for its kind.
func (cl *client) accessOf(n *node) (granted, certain nfs.Access) {
	grant := func(need uint32, bits nfs.Access) {
		certain |= bits
		if cl.permitted(n, need) {
			granted |= bits
		}
	}
	grant(read, nfs.AccessRead)
	switch n.kind {
	case nfs.Directory:
		grant(execute, nfs.AccessLookup)
		grant(write|execute, nfs.AccessModify|nfs.AccessExtend)
		if cl.permitted(n, write) != cl.permitted(n, write|execute) {
			certain &^= nfs.AccessModify | nfs.AccessExtend // servers disagree on directories that can be written but not searched
		}
	case nfs.Regular:
		grant(write, nfs.AccessModify|nfs.AccessExtend)
		grant(execute, nfs.AccessExecute)
	default:
		certain = 0
	}
	return granted & certain, certain
}
