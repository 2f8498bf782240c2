package staged

import (
	"context"

	"forebay/protocols/nfs"
)

// Settled has the filer make durable what it has of a file, and returns its write verifier, and the file's attributes as it shows them; nil: it lacks
// something of the file, or may be getting it. An error that is an nfs.Status is the filer's refusal.
func (s *FileSystem) Settled(ctx context.Context, c *nfs.Caller, h nfs.Handle) (*nfs.Attr, nfs.Verifier, error) {
	if _, err := s.array.Mode(); err != nil {
		return nil, nfs.Verifier{}, away(err)
	}
	since := s.turn()
	var r nfs.CommitResult
	err := s.opts.Files.Do(ctx, c, nfs.ProcCommit, &nfs.CommitArgs{File: h}, &r)
	if err == nil && r.Status != nfs.OK {
		err = r.Status
	}
	if err != nil {
		return nil, r.Verifier, err
	}
	var got nfs.GetAttrResult
	err = s.opts.Files.Do(ctx, c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}, &got)
	if err == nil && got.Status != nfs.OK {
		err = got.Status
	}
	if err != nil {
		return nil, r.Verifier, err
	}
	attr := got.Attr
	if !s.show(h, &got.Attr, since) || !s.has(h) || s.changed(h, since) {
		return nil, r.Verifier, nil
	}
	return &attr, r.Verifier, nil
}

// has says whether the filer has all of a file.
func (s *FileSystem) has(h nfs.Handle) bool {
	f := s.find(h)
	defer s.letGo(f)
	return !s.parks.has(h) && (f == nil || !f.staged())
}

// changed says whether a file has been changed since a turn, or has got its slot.
func (s *FileSystem) changed(h nfs.Handle, since uint64) bool {
	f := s.find(h)
	if f == nil {
		return false
	}
	defer s.letGo(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended > since
}
