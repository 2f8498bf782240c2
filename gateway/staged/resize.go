package staged

import (
	"context"
	"errors"

	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// onlySize says whether a SETATTR sets the size, and nothing that doesn't go with that: the mtime at most, to now. A guard is of a ctime, and so of what the
// filer says.
func onlySize(a *nfs.SetAttrArgs) bool {
	rest := a.Attr
	rest.Size = nfs.Optional[uint64]{}
	if rest.Mtime.How == nfs.SetToServerTime {
		rest.Mtime = nfs.SetTime{}
	}
	return a.Attr.Size.Follows && rest == nfs.SetAttr{} && !a.Guard.Follows
}

// resize logs a SETATTR of the size. done is false where the filer has the word for it, in the order of the file.
func (s *FileSystem) resize(ctx context.Context, c *nfs.Caller, a *nfs.SetAttrArgs, r *nfs.WccResult) (done bool, err error) {
	size := a.Attr.Size.Value
	if !s.opts.Durable || size >= uint64(slotSize) {
		return false, nil
	}
	f, err := s.use(ctx, a.Object)
	if err != nil {
		return true, away(err)
	}
	defer s.letGo(f)
	if err := f.order.Acquire(ctx, alone); err != nil { // no WRITE is on its way: what is in the log comes before, and what isn't comes after
		return true, err
	}
	defer f.order.Release(alone)
	if s.parks.has(f.handle) {
		*r = nfs.WccResult{Status: nfs.ErrIO}
		return true, nil
	}
	if !s.resizable(ctx, c, f, size) {
		if f.isNew() {
			s.leave(f)
		}
		return false, nil
	}
	err = s.logSize(ctx, c, f, a, r)
	if errors.Is(err, cachecore.ErrNoSpace) {
		*r = nfs.WccResult{Status: nfs.ErrNoSpc}
		return true, nil
	}
	return true, away(err)
}

// logSize is resize of a file that nobody else changes, and of which the size may be set.
func (s *FileSystem) logSize(ctx context.Context, c *nfs.Caller, f *file, a *nfs.SetAttrArgs, r *nfs.WccResult) error {
	size, reach, before := a.Attr.Size.Value, f.reaches(), f.attributes()
	answered := false
	err := s.array.Resize(ctx, f.address(size), int64(max(reach, size)-size), func(ctx context.Context) error {
		answered = true
		return s.pass(ctx, c, nfs.ProcSetAttr, a, r)
	})
	if err != nil {
		return err
	}
	if answered { // as the mode has changed: the filer answers for itself now
		s.leave(f)
		return nil
	}
	*r = nfs.WccResult{Wcc: f.resized(before, size)}
	return nil
}

// resizable says whether it is known that the filer lets a user set a size: who may write may, unless only as the owner whom the mode doesn't let write. A file
// may not be longer than any can be.
func (s *FileSystem) resizable(ctx context.Context, c *nfs.Caller, f *file, size uint64) bool {
	const ownerWrites = 0o200
	if s.permitted(ctx, c, f, true) != nil {
		return false
	}
	now := f.attributes()
	return now.Type == nfs.Regular && now.Mode&ownerWrites != 0 && (size <= now.Size || size <= s.longest(ctx, c, f.handle))
}

// longest is how long a file of the filer can be; 0: it doesn't say so now.
func (s *FileSystem) longest(ctx context.Context, c *nfs.Caller, h nfs.Handle) uint64 {
	if n := s.longestFile.Load(); n > 0 {
		return n
	}
	var r nfs.FSInfoResult
	if err := s.opts.Files.Do(ctx, c, nfs.ProcFSInfo, &nfs.HandleArgs{Object: h}, &r); err != nil || r.Status != nfs.OK {
		return 0
	}
	s.longestFile.Store(r.MaxFileSize)
	return r.MaxFileSize
}

// tooLong says that no file of the filer has an end there, as far as that is known.
func (s *FileSystem) tooLong(ctx context.Context, c *nfs.Caller, h nfs.Handle, end uint64) bool {
	const least = 1 << 31 // that a file of any filer can have
	if end <= least {
		return false
	}
	longest := s.longest(ctx, c, h)
	return longest > 0 && end > longest
}

// reaches is where no record has content behind.
func (f *file) reaches() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reach
}
