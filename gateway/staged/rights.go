package staged

import (
	"context"
	"errors"
	"slices"
	"time"

	"forebay/protocols/nfs"
)

// right says that the filer let a user do something with a file.
type right struct {
	user  nfs.Caller
	write bool // else read
	until time.Time
}

// maxRights is how many are known of a file.
const maxRights = 16

// permitted has the filer say whether a user may read or write a file, unless it has said so a moment ago: by a READ of a byte, or a WRITE of none.
// An error that is an nfs.Status is the filer's refusal. While the filer is away, what it last said holds.
func (s *FileSystem) permitted(ctx context.Context, c *nfs.Caller, f *file, write bool) error {
	asked := time.Now()
	fresh, ever := f.right(c, write, asked)
	if fresh {
		return nil
	}
	err := s.probe(ctx, c, f, write)
	switch {
	case err == nil:
		f.grant(c, write, asked.Add(s.opts.Rights))
		return nil
	case ever && errors.Is(err, nfs.ErrAway):
		return nil
	}
	var status nfs.Status
	if errors.As(err, &status) && status != nfs.ErrJukebox {
		f.revoke(c)
	}
	return err
}

func (s *FileSystem) probe(ctx context.Context, c *nfs.Caller, f *file, write bool) error {
	since := s.turn()
	if !write {
		r := nfs.ReadResult{Data: make([]byte, 1)}
		if err := s.opts.Files.Do(ctx, c, nfs.ProcRead, &nfs.ReadArgs{File: f.handle, Count: 1}, &r); err != nil {
			return err
		}
		return s.probed(ctx, c, f, r.Status, &r.Attr, since)
	}
	var r nfs.WriteResult
	if err := s.opts.Files.Do(ctx, c, nfs.ProcWrite, &nfs.WriteArgs{File: f.handle}, &r); err != nil {
		return err
	}
	return s.probed(ctx, c, f, r.Status, &r.Wcc.After, since)
}

// probed takes in what the filer said of a file, which it is asked for if it said nothing.
func (s *FileSystem) probed(ctx context.Context, c *nfs.Caller, f *file, status nfs.Status, attr *nfs.PostOpAttr, since uint64) error {
	if status != nfs.OK {
		return status
	}
	if attr.Follows {
		if _, ok := f.see(&attr.Value, since); ok {
			return nil
		}
	}
	return s.meet(ctx, c, f)
}

// meet asks the filer what a file is like until that is known: an answer that a change has overtaken doesn't tell. An error that is an nfs.Status
// is the filer's.
func (s *FileSystem) meet(ctx context.Context, c *nfs.Caller, f *file) error {
	for {
		since := s.turn()
		var r nfs.GetAttrResult
		if err := s.opts.Files.Do(ctx, c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: f.handle}, &r); err != nil {
			return err
		}
		if r.Status != nfs.OK {
			return r.Status
		}
		if _, ok := f.see(&r.Attr, since); ok {
			return nil
		}
	}
}

// right says whether a user has a right, and whether ever.
func (f *file) right(c *nfs.Caller, write bool, now time.Time) (fresh, ever bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.rightOf(c, write)
	if i < 0 || !f.known || f.named {
		return false, false
	}
	return now.Before(f.rights[i].until), true
}

// rightOf is f.mu held.
func (f *file) rightOf(c *nfs.Caller, write bool) int {
	return slices.IndexFunc(f.rights, func(r right) bool {
		return r.write == write && r.user.UID == c.UID && r.user.GID == c.GID && slices.Equal(r.user.GIDs, c.GIDs)
	})
}

func (f *file) grant(c *nfs.Caller, write bool, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.rightOf(c, write)
	if i < 0 {
		if len(f.rights) >= maxRights {
			f.rights = f.rights[1:]
		}
		user := nfs.Caller{UID: c.UID, GID: c.GID, GIDs: slices.Clone(c.GIDs)} // c's are the request's, and end with it
		f.rights = append(f.rights, right{user: user, write: write})
		i = len(f.rights) - 1
	}
	f.rights[i].until = until
	if write {
		f.writer, f.wrote = f.rights[i].user, true
	}
}

// revoke takes a user's rights back.
func (f *file) revoke(c *nfs.Caller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rights = slices.DeleteFunc(f.rights, func(r right) bool { return r.user.UID == c.UID && r.user.GID == c.GID })
}
