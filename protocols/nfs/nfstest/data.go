package nfstest

import "forebay/protocols/nfs"

// opened finds a regular file to READ or WRITE.
func (m *Mem) opened(c *nfs.Caller, h nfs.Handle, need permission) (*node, nfs.Status) {
	n, s := m.find(h)
	switch {
	case s != nfs.OK:
		return nil, s
	case n.kind == nfs.Directory:
		return n, nfs.ErrIsDir
	case n.kind != nfs.Regular:
		return n, nfs.ErrInval
	case !n.opens(c, need):
		return n, nfs.ErrAcces
	}
	return n, nfs.OK
}

func (m *Mem) read(c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult) nfs.Status {
	n, s := m.opened(c, a.File, mayRead)
	r.Attr, r.Count, r.EOF = m.postOp(n), 0, false
	if s != nfs.OK {
		r.Data = r.Data[:0]
		return s
	}
	want := min(int(a.Count), int(m.opts.ReadMax), len(r.Data))
	r.Data = r.Data[:n.file.readAt(r.Data[:want], a.Offset)]
	r.Count = uint32(len(r.Data))
	r.EOF = a.Offset >= n.file.size || a.Offset+uint64(r.Count) == n.file.size
	return nfs.OK
}

func (m *Mem) write(c *nfs.Caller, a *nfs.WriteArgs, r *nfs.WriteResult) nfs.Status {
	n, s := m.opened(c, a.File, mayWrite)
	defer m.watch(n, &r.Wcc)()
	if s != nfs.OK {
		return s
	}
	p := a.Data[:min(len(a.Data), int(m.opts.WriteMax))]
	if a.Offset > maxFileSize-uint64(len(p)) {
		return nfs.ErrFBig
	}
	added := n.file.missing(a.Offset, len(p))
	if (m.mu.pages+added)*pageSize > m.opts.Capacity {
		return nfs.ErrNoSpc
	}
	r.Count, r.Committed, r.Verifier = uint32(len(p)), a.Stable, m.writeVerifier()
	if len(p) == 0 {
		return nfs.OK
	}
	m.mu.pages += added
	n.unsettle()
	n.file.writeAt(p, a.Offset, a.Stable != nfs.Unstable)
	n.mtime = m.tick()
	n.ctime = n.mtime
	if a.Stable != nfs.Unstable {
		n.settle()
	}
	return nfs.OK
}

func (m *Mem) commit(c *nfs.Caller, a *nfs.CommitArgs, r *nfs.CommitResult) nfs.Status {
	n, s := m.opened(c, a.File, mayWrite)
	defer m.watch(n, &r.Wcc)()
	if s != nfs.OK {
		return s
	}
	end := uint64(0)
	if a.Count > 0 && a.Offset <= maxFileSize {
		end = a.Offset + uint64(a.Count)
	}
	n.commit(a.Offset, end)
	r.Verifier = m.writeVerifier()
	return nfs.OK
}
