package staged

import (
	"cmp"
	"context"
	"slices"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
)

// logs says whether WRITEs are logged.
func (s *FileSystem) logs() bool {
	mode, _ := s.array.Mode()
	return mode != writeback.Through
}

// drain waits until the filer has all that was acknowledged. While it is away that may take long: who holds calls then has to know.
func (s *FileSystem) drain(ctx context.Context) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lost := s.space.loss()
	go func() {
		select {
		case <-lost:
			cancel(nfs.ErrAway)
		case <-within.Done():
		}
	}()
	err := s.array.Drain(within)
	if err != nil && ctx.Err() == nil && context.Cause(within) != nil {
		return context.Cause(within)
	}
	return err
}

// settle has the filer get all that was acknowledged of some files, and keeps WRITEs of them out until release.
func (s *FileSystem) settle(ctx context.Context, files ...*file) (release func(), err error) {
	slices.SortFunc(files, func(a, b *file) int { return cmp.Compare(a.slot, b.slot) }) // the same for all, so that nobody waits in a circle
	files = slices.Compact(files)
	held := 0
	release = func() {
		for _, f := range files[:held] {
			f.order.Release(alone)
		}
	}
	for _, f := range files {
		if err := f.order.Acquire(ctx, alone); err != nil {
			release()
			return nil, err
		}
		held++
	}
	if slices.ContainsFunc(files, (*file).staged) {
		if err := s.drain(ctx); err != nil {
			release()
			return nil, away(err)
		}
	}
	return release, nil
}

// setAttr logs a size, and changes anything else of a file when that has no records.
func (s *FileSystem) setAttr(ctx context.Context, c *nfs.Caller, a *nfs.SetAttrArgs, r *nfs.WccResult) error {
	if !s.logs() {
		return s.pass(ctx, c, nfs.ProcSetAttr, a, r)
	}
	if onlySize(a) {
		if done, err := s.resize(ctx, c, a, r); done {
			return err
		}
	}
	f := s.borrow(a.Object)
	if f == nil {
		return s.pass(ctx, c, nfs.ProcSetAttr, a, r)
	}
	defer s.letGo(f)
	release, err := s.settle(ctx, f)
	if err != nil {
		return err
	}
	defer release()
	if f.isNew() {
		return s.pass(ctx, c, nfs.ProcSetAttr, a, r)
	}
	return s.setShown(ctx, c, f, a, r)
}

// setShown is setAttr of a file that is settled, and looks otherwise than the filer says.
func (s *FileSystem) setShown(ctx context.Context, c *nfs.Caller, f *file, a *nfs.SetAttrArgs, r *nfs.WccResult) error {
	since := s.turn()
	var now nfs.GetAttrResult
	if err := s.opts.Files.Do(ctx, c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: f.handle}, &now); err != nil {
		return err
	}
	*r = nfs.WccResult{Status: now.Status}
	if r.Status == nfs.OK {
		if shown, ok := f.see(&now.Attr, since); ok {
			return s.setKnown(ctx, c, f, a, r, now.Attr, shown)
		}
		r.Status = nfs.ErrJukebox
	}
	return nil
}

// setKnown is setShown of a file that looks as it did before, to the filer and to users.
func (s *FileSystem) setKnown(ctx context.Context, c *nfs.Caller, f *file, a *nfs.SetAttrArgs, r *nfs.WccResult, own, before nfs.Attr) error {
	ask := *a
	switch {
	case a.Guard.Follows && a.Guard.Value != before.Ctime:
		*r = nfs.WccResult{Status: nfs.ErrNotSync, Wcc: nfs.WccData{Before: nfs.Some(weak(&before)), After: nfs.Some(before)}}
		return nil
	case a.Guard.Follows:
		ask.Guard = nfs.Some(own.Ctime)
	}
	if err := s.change(ctx, c, f, nfs.ProcSetAttr, &ask, r, &r.Wcc, &a.Attr); err != nil {
		return err
	}
	r.Wcc.Before = nfs.Some(weak(&before))
	return nil
}

// change has the filer change a file that is settled, and takes in and shows what that has said of it. set is what is set; nil: content is
// written.
func (s *FileSystem) change(ctx context.Context, c *nfs.Caller, f *file, p nfs.Procedure, a, r nfs.Message, wcc *nfs.WccData, set *nfs.SetAttr) error {
	err := s.opts.Files.Do(ctx, c, p, a, r)
	after := wcc.After
	if err != nil {
		after = nfs.PostOpAttr{}
	}
	mtime := set != nil && err == nil && *nfs.StatusOf(r) == nfs.OK && set.Mtime.How != nfs.DontChange
	rights := set != nil && (set.Mode.Follows || set.UID.Follows || set.GID.Follows)
	f.changed(s.next(), &after, mtime, rights)
	if err != nil {
		return err
	}
	wcc.Before.Follows = false
	if after.Follows {
		wcc.After.Value = f.attributes()
	}
	return nil
}
