package staged

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"forebay/protocols/nfs"
)

// rename is what changes names, or what is behind one: CREATE, REMOVE, RENAME and LINK.
func (s *FileSystem) rename(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if !s.logs() {
		return s.pass(ctx, c, p, a, r)
	}
	for range chases {
		again, err := s.renameFound(ctx, c, p, a, r)
		if err != nil || !again {
			return err
		}
	}
	*nfs.StatusOf(r) = nfs.ErrJukebox
	return nil
}

// renameFound is rename of what is behind the names. again: it has emptied another file, that has records, or the names may lead elsewhere by now.
func (s *FileSystem) renameFound(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) (again bool, err error) {
	looked := s.turn()
	files, err := s.behind(ctx, c, a)
	defer func() {
		for _, f := range files {
			s.letGo(f)
		}
	}()
	var status nfs.Status
	if errors.As(err, &status) {
		*nfs.StatusOf(r) = status
		return false, nil
	}
	if err != nil {
		return false, err
	}
	release, err := s.settle(ctx, slices.Clone(files)...)
	if err != nil {
		return false, err
	}
	defer release()
	if slices.ContainsFunc(files, func(f *file) bool { return f.renamedSince(looked) }) && !s.stillBehind(ctx, c, a, files) {
		return true, nil
	}
	since := s.turn()
	err = s.opts.Files.Do(ctx, c, p, a, r)
	for _, f := range files { // it may be gone, or empty
		f.renamed(s.next(), truncates(a))
	}
	if err != nil {
		return false, err
	}
	if truncates(a) && s.isOther(r.(*nfs.CreateResult), files) {
		return true, nil
	}
	if isOf(a, r, files) { // nothing was carried of it meanwhile
		since = s.turn()
	}
	s.patch(a, r, since)
	return false, nil
}

// isOf says whether the file that an answer shows is one of those that were kept from changing.
func isOf(a, r nfs.Message, files []*file) bool {
	var shown nfs.Handle
	switch a := a.(type) {
	case *nfs.CreateArgs:
		shown = r.(*nfs.CreateResult).Object.Value
	case *nfs.LinkArgs:
		shown = a.File
	}
	return has(files, shown)
}

func has(files []*file, h nfs.Handle) bool {
	return slices.ContainsFunc(files, func(f *file) bool { return bytes.Equal(f.handle, h) })
}

// isOther says whether a CREATE was of a file with records, and of none of those that it was taken for.
func (s *FileSystem) isOther(r *nfs.CreateResult, files []*file) bool {
	if r.Status != nfs.OK || !r.Object.Follows || has(files, r.Object.Value) {
		return false
	}
	f := s.find(r.Object.Value)
	defer s.letGo(f)
	return f != nil && f.staged()
}

// truncates says whether a CREATE empties a file that is there.
func truncates(a nfs.Message) bool {
	create, ok := a.(*nfs.CreateArgs)
	return ok && create.Mode == nfs.Unchecked && create.Attr.Size.Follows
}

// behind gives a slot to the files whose names a change is of, to be let go. An error that is an nfs.Status is the filer's answer.
func (s *FileSystem) behind(ctx context.Context, c *nfs.Caller, a nfs.Message) (files []*file, err error) {
	var names []nfs.DirOp
	switch a := a.(type) {
	case *nfs.CreateArgs:
		if truncates(a) {
			names = append(names, a.Where)
		}
	case *nfs.DirOp:
		names = append(names, *a)
	case *nfs.RenameArgs:
		names = append(names, a.From, a.To)
	case *nfs.LinkArgs:
		if f := s.find(a.File); f != nil {
			files = append(files, f)
		}
	}
	for _, name := range names {
		f, err := s.lookUp(ctx, c, &name)
		if f != nil {
			files = append(files, f)
		}
		if err != nil {
			return files, err
		}
	}
	return files, nil
}

// stillBehind says whether names lead where they did, before others that were waited for changed them.
func (s *FileSystem) stillBehind(ctx context.Context, c *nfs.Caller, a nfs.Message, files []*file) bool {
	now, err := s.behind(ctx, c, a)
	for _, f := range now {
		s.letGo(f)
	}
	return err == nil && slices.Equal(now, files)
}

// lookUp gives a slot to the file behind a name, to be let go; nil: there is nothing, or what has no content. A filer that doesn't say what there is is
// not asked to change it.
func (s *FileSystem) lookUp(ctx context.Context, c *nfs.Caller, name *nfs.DirOp) (*file, error) {
	var r nfs.LookupResult
	if err := s.opts.Files.Do(ctx, c, nfs.ProcLookup, name, &r); err != nil {
		return nil, err
	}
	switch r.Status {
	case nfs.OK:
		if r.Attr.Follows && r.Attr.Value.Type != nfs.Regular {
			return nil, nil
		}
		return s.borrow(r.Object), nil
	case nfs.ErrJukebox, nfs.ErrIO, nfs.ErrServerFault, nfs.ErrAcces, nfs.ErrPerm:
		return nil, r.Status
	}
	return nil, nil
}
