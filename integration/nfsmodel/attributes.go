package nfsmodel

import (
	"bytes"
	"context"
	"slices"

	"forebay/protocols/nfs"
)

// see checks attributes of n, if there are any.
func (s *step) see(n *node, a *nfs.PostOpAttr) {
	if a.Follows {
		s.attr(n, &a.Value)
	}
}

// attr checks attributes of n, and takes from them what the model can't know: times, and what the server chooses.
func (s *step) attr(n *node, a *nfs.Attr) {
	s.concerns(n)
	s.check(a.Type == n.kind, "%s has type %d, want %d", n.path(), a.Type, n.kind)
	s.check(a.FileID == n.fileID && a.FSID == s.checker.fsid, "%s is file %d of %d, want %d of %d", n.path(), a.FileID, a.FSID, n.fileID, s.checker.fsid)
	s.check(a.UID == n.uid && a.GID == n.gid, "%s belongs to %d:%d, want %d:%d", n.path(), a.UID, a.GID, n.uid, n.gid)
	flat := n.kind == nfs.Directory && a.Nlink == 1
	s.check(a.Nlink == n.links() || flat || n.dead && n.kind == nfs.Directory, "%s has %d links, want %d", n.path(), a.Nlink, n.links())
	s.size(n, a.Size)
	s.mode(n, a.Mode)
	s.times(n, a)
}

func (s *step) size(n *node, size uint64) {
	switch n.kind {
	case nfs.Regular:
		s.check(size == n.content.size, "%s has size %d, want %d", n.path(), size, n.content.size)
	case nfs.SymbolicLink:
		s.check(size == uint64(len(n.target)), "%s has size %d, want %d", n.path(), size, len(n.target))
	}
}

func (s *step) mode(n *node, mode uint32) {
	switch {
	case n.kind == nfs.SymbolicLink: // of no meaning
	case n.modeFree, n.otherMode != nil && mode == *n.otherMode:
		n.mode = mode
	default:
		s.check(mode == n.mode, "%s has mode %o, want %o", n.path(), mode, n.mode)
	}
	n.modeFree, n.otherMode = false, nil
}

func (s *step) times(n *node, a *nfs.Attr) {
	advances := s.checker.opts.TimesAdvance
	if n.atime.exact && n.atime.set && n.kind != nfs.SymbolicLink && !advances {
		s.check(a.Atime == n.atime.last, "atime of %s is %s, want %s", n.path(), timeText(a.Atime), timeText(n.atime.last))
	}
	wrong := n.mtime.peek(a.Mtime, advances)
	s.check(wrong == "", "mtime of %s %s", n.path(), wrong)
	wrong = n.ctime.peek(a.Ctime, advances)
	s.check(wrong == "", "ctime of %s %s", n.path(), wrong)
	n.atime.tell(a.Atime)
	n.mtime.tell(a.Mtime)
	n.ctime.tell(a.Ctime)
}

// before checks what an answer says of n before it was executed, unless that may have been another time after it had been. The model must
// not have changed yet.
func (s *step) before(n *node, w *nfs.WccData) {
	if !w.Before.Follows || s.repeated() {
		return
	}
	b, advances := &w.Before.Value, s.checker.opts.TimesAdvance
	if n.kind == nfs.Regular {
		s.check(b.Size == n.content.size, "%s had size %d before, want %d", n.path(), b.Size, n.content.size)
	}
	wrong := n.mtime.peek(b.Mtime, advances)
	s.check(wrong == "", "mtime of %s before %s", n.path(), wrong)
	wrong = n.ctime.peek(b.Ctime, advances)
	s.check(wrong == "", "ctime of %s before %s", n.path(), wrong)
	n.mtime.tell(b.Mtime)
	n.ctime.tell(b.Ctime)
}

// isHandle checks that h is the handle of n. A server may have several of one object; one that does makes its clients see two.
func (s *step) isHandle(n *node, h nfs.Handle) {
	s.check(bytes.Equal(h, n.handle), "the handle of %s is %x, want %x", n.path(), h, n.handle)
}

// adopt makes a new n what is at p, and takes its handle and attributes from an answer, or else from a LOOKUP.
func (c *Checker) adopt(ctx context.Context, s *step, n *node, p place, h *nfs.Optional[nfs.Handle], a *nfs.PostOpAttr) error {
	n.put(p)
	p.dir.changed()
	c.live = append(c.live, n)
	c.worked(n)
	if !h.Follows || !a.Follows {
		r, err := c.look(ctx, p)
		if err != nil {
			return err
		}
		s.check(r.Status == nfs.OK && r.Attr.Follows, "a LOOKUP of what was made: %s, attributes: %t", statusText(r.Status), r.Attr.Follows)
		*h, *a = nfs.Some(r.Object), r.Attr
	}
	for _, o := range slices.Concat(c.live, c.dead) {
		s.check(!bytes.Equal(o.handle, h.Value), "the new %s has the handle of %s", p.path(), o.path())
		s.check(o.dead || o.handle == nil || o.fileID != a.Value.FileID, "the new %s has the file id of %s", p.path(), o.path())
	}
	n.handle, n.fileID = slices.Clone(h.Value), a.Value.FileID
	if n.verifier != nil {
		n.mtime.forget() // it may be where the server keeps the verifier
	}
	s.attr(n, &a.Value)
	return nil
}

// look asks for a name, as the first client, which may.
func (c *Checker) look(ctx context.Context, p place) (*nfs.LookupResult, error) {
	var r nfs.LookupResult
	err := c.clients[0].do(ctx, nfs.ProcLookup, &nfs.DirOp{Dir: p.dir.handle, Name: p.name}, &r)
	return &r, err
}
