package staged

import (
	"context"
	"errors"

	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// write logs a WRITE, or has the filer execute it where the mode says so. What the log has is answered as FILE_SYNC if that lasts; else as what was
// asked for, and the filer has it by then if that is to last (PROTOCOL B8).
func (s *FileSystem) write(ctx context.Context, c *nfs.Caller, a *nfs.WriteArgs, r *nfs.WriteResult) error {
	direct := func(ctx context.Context) error { return s.pass(ctx, c, nfs.ProcWrite, a, r) }
	size := uint64(len(a.Data))
	if size == 0 { // the filer has the word for it
		return direct(ctx)
	}
	if done, err := s.array.Direct(ctx, direct); done {
		return err
	}
	if size > uint64(slotSize) || a.Offset > uint64(slotSize)-size || s.tooLong(ctx, c, a.File, a.Offset+size) {
		return s.writeBeyond(ctx, c, a, r)
	}
	f, err := s.use(ctx, a.File)
	if err != nil {
		return away(err)
	}
	defer s.letGo(f)
	if err := f.order.Acquire(ctx, 1); err != nil {
		return err
	}
	defer f.order.Release(1)
	err = s.log(ctx, c, f, a, r, direct)
	var status nfs.Status
	switch {
	case errors.Is(err, cachecore.ErrNoSpace): // whatever the filer says of what is in the log, be it of other files
		*r = nfs.WriteResult{Status: nfs.ErrNoSpc}
		return nil
	case errors.As(err, &status):
		if f.isNew() { // else its times would go back
			s.leave(f)
		}
		*r = nfs.WriteResult{Status: status}
		return nil
	}
	return away(err)
}

// log is write of a file with a slot.
func (s *FileSystem) log(ctx context.Context, c *nfs.Caller, f *file, a *nfs.WriteArgs, r *nfs.WriteResult, direct func(context.Context) error) error {
	if s.parks.has(f.handle) {
		return nfs.ErrIO
	}
	if err := s.permitted(ctx, c, f, true); err != nil {
		return err
	}
	answered, before := false, f.attributes()
	lasting := s.opts.Durable || a.Stable != nfs.Unstable
	err := s.array.WriteBy(ctx, a.Data, f.address(a.Offset), lasting, func(ctx context.Context) error {
		answered = true
		return direct(ctx)
	})
	if err != nil {
		return err
	}
	if answered { // as the mode has changed: the filer answers for itself now
		s.leave(f)
		return nil
	}
	*r = nfs.WriteResult{Wcc: f.written(before, a.Offset+uint64(len(a.Data))), Count: uint32(len(a.Data)), Verifier: s.opts.Verifier}
	if lasting {
		r.Committed = nfs.FileSync
	}
	return nil
}

// writeBeyond is a WRITE behind what a slot has addresses for, or a file of the filer can have: the filer's to answer, in the order of the file, and durable,
// as no COMMIT reaches the filer.
func (s *FileSystem) writeBeyond(ctx context.Context, c *nfs.Caller, a *nfs.WriteArgs, r *nfs.WriteResult) error {
	f, err := s.use(ctx, a.File)
	if err != nil {
		return away(err)
	}
	defer s.letGo(f)
	release, err := s.settle(ctx, f)
	if err != nil {
		return err
	}
	defer release()
	if s.parks.has(f.handle) {
		*r = nfs.WriteResult{Status: nfs.ErrIO}
		return nil
	}
	ask := *a
	ask.Stable = nfs.FileSync
	err = s.change(ctx, c, f, nfs.ProcWrite, &ask, r, &r.Wcc, nil)
	r.Verifier = s.opts.Verifier
	return err
}

// read looks into the log first, if it may have something of the file.
func (s *FileSystem) read(ctx context.Context, c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult) error {
	f := s.find(a.File)
	defer s.letGo(f)
	switch {
	case s.parks.has(a.File):
		*r = nfs.ReadResult{Status: nfs.ErrIO}
		return nil
	case f == nil || !f.staged():
		return s.pass(ctx, c, nfs.ProcRead, a, r)
	}
	err := s.permitted(ctx, c, f, false)
	if err == nil {
		attr := f.attributes()
		switch {
		case a.Offset >= attr.Size: // whatever the filer has there
			*r = nfs.ReadResult{Attr: nfs.Some(attr), EOF: true, Data: r.Data[:0]}
			return nil
		case a.Offset >= uint64(slotSize): // where the log has nothing
			return s.pass(ctx, c, nfs.ProcRead, a, r)
		}
		n := min(uint64(a.Count), attr.Size-a.Offset, uint64(slotSize)-a.Offset)
		err = s.array.ReadAt(reading(ctx, c), r.Data[:n], f.address(a.Offset))
		*r = nfs.ReadResult{Attr: nfs.Some(attr), Count: uint32(n), EOF: a.Offset+n >= attr.Size, Data: r.Data[:n]}
	}
	var status nfs.Status
	if errors.As(err, &status) {
		*r = nfs.ReadResult{Status: status}
		return nil
	}
	return away(err)
}

func (f *file) attributes() nfs.Attr {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.show()
}

// look returns the attributes that are shown, if they are known and the file is there.
func (f *file) look() (attr nfs.Attr, known bool) {
	if f == nil {
		return attr, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.show(), f.known && !f.named
}

// commit is a COMMIT: of what the log has answered there is nothing to do if that lasts. The verifier is not the filer's: what the filer has
// answered as unstable before the log did is written again.
func (s *FileSystem) commit(ctx context.Context, c *nfs.Caller, a *nfs.CommitArgs, r *nfs.CommitResult) error {
	direct := func(ctx context.Context) error { return s.pass(ctx, c, nfs.ProcCommit, a, r) }
	if done, err := s.array.Direct(ctx, direct); done {
		return err
	}
	if !s.opts.Durable {
		if err := s.drain(ctx); err != nil {
			return away(err)
		}
	}
	if s.parks.has(a.File) { // there is something that the filer will never have
		*r = nfs.CommitResult{Status: nfs.ErrIO}
		return nil
	}
	f := s.find(a.File)
	defer s.letGo(f)
	if attr, known := f.look(); known {
		*r = nfs.CommitResult{Wcc: nfs.WccData{After: nfs.Some(attr)}, Verifier: s.opts.Verifier}
		return nil
	}
	err := direct(ctx)
	r.Verifier = s.opts.Verifier
	return err
}
