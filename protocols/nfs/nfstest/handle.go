package nfstest

import (
	"encoding/binary"

	"forebay/protocols/nfs"
)

// A handle is a magic number and the id of a node, which never is another's, each of eight bytes, and zeros.
const (
	magic     = 0x6d656d2066696c65
	minHandle = 16
)

func (m *Mem) handle(n *node) nfs.Handle {
	h := make(nfs.Handle, m.opts.HandleSize)
	binary.BigEndian.PutUint64(h, magic)
	binary.BigEndian.PutUint64(h[8:], n.id)
	return h
}

// find returns the node of a handle.
func (m *Mem) find(h nfs.Handle) (*node, nfs.Status) {
	if len(h) != m.opts.HandleSize || binary.BigEndian.Uint64(h) != magic {
		return nil, nfs.ErrBadHandle
	}
	for _, b := range h[minHandle:] {
		if b != 0 {
			return nil, nfs.ErrBadHandle
		}
	}
	n := m.mu.nodes[binary.BigEndian.Uint64(h[8:])]
	if n == nil {
		return nil, nfs.ErrStale
	}
	return n, nfs.OK
}

// findDir is find for a directory in which the caller may do something.
func (m *Mem) findDir(c *nfs.Caller, h nfs.Handle, need permission) (*node, nfs.Status) {
	n, s := m.find(h)
	switch {
	case s != nfs.OK:
		return nil, s
	case n.kind != nfs.Directory:
		return nil, nfs.ErrNotDir
	case !n.allows(c, need):
		return n, nfs.ErrAcces
	}
	return n, nfs.OK
}
