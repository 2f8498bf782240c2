package server

import (
	"bytes"
	"context"

	"forebay/protocols/nfs"
)

// leastListing is what a file system is asked for at least, in bytes. Some say that a listing ends where they have no room for the next entry
// (nfs-ganesha 4.3); there always is, and what the client has no room for is left for its next call.
const leastListing = 8 << 10

// roomy is the arguments for the file system: those of the client, but for counts that are small.
func (r *request) roomy() nfs.Message {
	switch a := r.args.(type) {
	case *nfs.ReadDirArgs:
		b := *a
		b.Count = max(b.Count, leastListing)
		return &b
	case *nfs.ReadDirPlusArgs:
		b := *a
		b.DirCount, b.MaxCount = max(b.DirCount, leastListing), max(b.MaxCount, leastListing)
		return &b
	}
	return r.args
}

// list answers a READDIR, with what the client has room for.
func (r *request) list(m *nfs.ReadDirResult) {
	if m.Status != nfs.OK {
		r.answer()
		return
	}
	a := r.args.(*nfs.ReadDirArgs)
	l := nfs.StartListing(&r.call.Results, &m.Attr, m.Verifier, a.Count, a.Count)
	for i := range m.Entries {
		if !l.Add(&m.Entries[i]) {
			break
		}
	}
	r.endList(&l, m.EOF)
}

// listPlus answers a READDIRPLUS. Our handles are longer than those that the file system has counted, so that entries may be left for the
// client's next call.
func (r *request) listPlus(ctx context.Context, m *nfs.ReadDirPlusResult) {
	if m.Status != nfs.OK {
		r.answer()
		return
	}
	a := r.args.(*nfs.ReadDirPlusArgs)
	l := nfs.StartListing(&r.call.Results, &m.Attr, m.Verifier, a.DirCount, a.MaxCount)
	for i := range m.Entries {
		n := &m.Entries[i]
		r.sealEntry(ctx, a.Dir, n)
		if !l.AddPlus(n) {
			break
		}
	}
	r.endList(&l, m.EOF)
}

func (r *request) endList(l *nfs.Listing, eof bool) {
	if !l.Finish(eof) {
		r.refuse(nfs.ErrTooSmall)
		return
	}
	r.observe()
}

// sealEntry seals the handle of an entry. Without one, which is the client's to look up, are those that can't be sealed, and what lies
// above the export.
func (r *request) sealEntry(ctx context.Context, dir nfs.Handle, n *nfs.EntryPlus) {
	if n.Name == ".." {
		root, err := r.export.Root(ctx)
		if err != nil || bytes.Equal(root, dir) {
			n.Handle, n.Attr = nfs.Optional[nfs.Handle]{}, nfs.PostOpAttr{}
		}
	}
	if n.Handle.Follows {
		r.sealOptional(ctx, &n.Handle)
	}
}
