package nfstest

import (
	"encoding/binary"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/xdr"
)

// listed finds a directory to list. Its verifier never changes, as cookies stay valid; another's is refused.
func (m *Mem) listed(c *nfs.Caller, h nfs.Handle, cookie uint64, v nfs.Verifier) (*node, nfs.Verifier, nfs.Status) {
	dir, s := m.findDir(c, h, mayRead)
	if s != nfs.OK {
		return dir, v, s
	}
	var own nfs.Verifier
	binary.BigEndian.PutUint64(own[:], magic^dir.id)
	if cookie != 0 && v != own {
		return dir, v, nfs.ErrBadCookie
	}
	return dir, own, nfs.OK
}

func (m *Mem) readDir(c *nfs.Caller, a *nfs.ReadDirArgs, r *nfs.ReadDirResult) nfs.Status {
	dir, verifier, s := m.listed(c, a.Dir, a.Cookie, a.Verifier)
	r.Attr, r.Verifier, r.Entries, r.EOF = m.postOp(dir), verifier, nil, false
	if s != nfs.OK {
		return s
	}
	var room xdr.Encoder
	l := nfs.StartListing(&room, &r.Attr, r.Verifier, a.Count, a.Count)
	r.EOF = true
	for _, e := range dir.entriesAfter(a.Cookie) {
		n := nfs.Entry{FileID: e.node.id, Name: e.name, Cookie: e.cookie}
		if !l.Add(&n) {
			r.EOF = false
			break
		}
		r.Entries = append(r.Entries, n)
	}
	if !l.Finish(r.EOF) {
		return nfs.ErrTooSmall
	}
	return nfs.OK
}

func (m *Mem) readDirPlus(c *nfs.Caller, a *nfs.ReadDirPlusArgs, r *nfs.ReadDirPlusResult) nfs.Status {
	dir, verifier, s := m.listed(c, a.Dir, a.Cookie, a.Verifier)
	r.Attr, r.Verifier, r.Entries, r.EOF = m.postOp(dir), verifier, nil, false
	if s != nfs.OK {
		return s
	}
	var room xdr.Encoder
	l := nfs.StartListing(&room, &r.Attr, r.Verifier, a.DirCount, a.MaxCount)
	r.EOF = true
	for _, e := range dir.entriesAfter(a.Cookie) {
		n := nfs.EntryPlus{Entry: nfs.Entry{FileID: e.node.id, Name: e.name, Cookie: e.cookie}, Attr: m.postOp(e.node),
			Handle: nfs.Some(m.handle(e.node))}
		if !l.AddPlus(&n) {
			r.EOF = false
			break
		}
		r.Entries = append(r.Entries, n)
	}
	if !l.Finish(r.EOF) {
		return nfs.ErrTooSmall
	}
	return nfs.OK
}
