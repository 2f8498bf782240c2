package server

import (
	"bytes"
	"context"
	"fmt"

	"forebay/protocols/nfs"
)

// wrap appends a client's handle for one of the file system's to p. With atOnce it must not wait; ready is false if it would
// have to.
func (r *request) wrap(wait context.Context, p []byte, h nfs.Handle) (sealed nfs.Handle, ready bool, err error) {
	switch {
	case len(h) == 0 || len(h) > nfs.MaxHandle:
		return nil, true, fmt.Errorf("a handle of %d bytes", len(h))
	case len(h) <= maxShort:
		return r.s.seal.close(p, handleShort, r.export.ID, h), true, nil
	}
	hash, ready, err := r.s.long.keep(wait, h)
	if err != nil || !ready {
		return nil, ready, err
	}
	return r.s.seal.close(p, handleLong, r.export.ID, hash[:]), true, nil
}

// sealLookup seals the handle that a LOOKUP has found. It says whether it could do so as wrap does.
func (r *request) sealLookup(wait context.Context) bool {
	m := &r.hot.lookupResult
	if m.Status != nfs.OK {
		return true
	}
	h, ready, err := r.wrap(wait, r.hot.sealed[:0], m.Object)
	if err != nil {
		r.fail(err)
	}
	m.Object = h
	return ready
}

// sealCreated seals the handle of what was made. If that can't be done the client has to look it up.
func (r *request) sealCreated(ctx context.Context, m *nfs.CreateResult) {
	if m.Status != nfs.OK || !m.Object.Follows {
		return
	}
	r.sealOptional(ctx, &m.Object)
}

// sealOptional seals a handle that the client can look up if it has to.
func (r *request) sealOptional(ctx context.Context, h *nfs.Optional[nfs.Handle]) {
	sealed, _, err := r.wrap(ctx, nil, h.Value)
	if err != nil {
		_ = r.s.failed(r.export, r.proc, err) // logged; the procedure itself hasn't
	}
	*h = nfs.Optional[nfs.Handle]{Follows: err == nil, Value: sealed}
}

// confine keeps a LOOKUP in the export: above its root there is nothing.
func (r *request) confine(ctx context.Context) error {
	a, ok := r.args.(*nfs.DirOp)
	if !ok || r.proc != nfs.ProcLookup || a.Name != ".." {
		return nil
	}
	root, err := r.export.Root(ctx)
	if err == nil && bytes.Equal(root, a.Dir) {
		a.Name = "."
	}
	return err
}
