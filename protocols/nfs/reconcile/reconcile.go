package reconcile

import (
	"bytes"
	"context"
	"fmt"

	"forebay/protocols/nfs"
)

// Change puts right r, which the file system has answered a change with that may have been executed before: an object that isn't there any more,
// or is there already, because the first execution did that, means success, where a look at it doesn't say otherwise. What is answered then
// has the handle and the attributes of now.
//
// An error wraps nfs.ErrOutcomeUnknown: the look has failed, and r says nothing.
func Change(ctx context.Context, fs nfs.FileSystem, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	status := nfs.StatusOf(r)
	look := look{ctx, fs, c}
	made, err := false, error(nil)
	switch *status {
	case nfs.ErrNoEnt:
		made, err = look.isGone(p, a)
	case nfs.ErrExist:
		made, err = look.isThere(a, r)
	case nfs.ErrNotSync:
		made, err = look.isSet(a, r)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", nfs.ErrOutcomeUnknown, err)
	}
	if made {
		*status = nfs.OK
	}
	return nil
}

// look is a look at a file system as a caller sees it.
type look struct {
	ctx    context.Context
	fs     nfs.FileSystem
	caller *nfs.Caller
}

func (l look) lookUp(o *nfs.DirOp) (*nfs.LookupResult, error) {
	r := new(nfs.LookupResult)
	return r, l.fs.Do(l.ctx, l.caller, nfs.ProcLookup, o, r)
}

func (l look) getAttr(h nfs.Handle) (*nfs.GetAttrResult, error) {
	r := new(nfs.GetAttrResult)
	return r, l.fs.Do(l.ctx, l.caller, nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}, r)
}

// isGone says whether what isn't there was removed, or renamed: then its new name is there.
func (l look) isGone(p nfs.Procedure, a nfs.Message) (bool, error) {
	switch p {
	case nfs.ProcRemove, nfs.ProcRmdir:
		return true, nil
	case nfs.ProcRename:
		from, err := l.lookUp(&a.(*nfs.RenameArgs).From)
		if err != nil || from.Status != nfs.ErrNoEnt {
			return false, err
		}
		to, err := l.lookUp(&a.(*nfs.RenameArgs).To)
		return err == nil && to.Status == nfs.OK, err
	}
	return false, nil
}

// isThere says whether what is there already is what was to be made, and completes the result.
func (l look) isThere(a, r nfs.Message) (bool, error) {
	if link, ok := a.(*nfs.LinkArgs); ok {
		return l.isLinked(link, r.(*nfs.LinkResult))
	}
	where, kind := object(a)
	if where == nil {
		return false, nil
	}
	found, err := l.lookUp(where)
	if err != nil || found.Status != nfs.OK {
		return false, err
	}
	attr := &found.Attr.Value
	if !found.Attr.Follows {
		has, err := l.getAttr(found.Object)
		if err != nil || has.Status != nfs.OK {
			return false, err
		}
		attr = &has.Attr
	}
	if attr.Type != kind {
		return false, nil
	}
	if same, err := l.isSame(a, found.Object, attr); err != nil || !same {
		return false, err
	}
	made := r.(*nfs.CreateResult)
	made.Object, made.Attr = nfs.Some(found.Object), nfs.Some(*attr)
	return true, nil
}

// object is what a procedure makes, and where. An exclusive CREATE finds its own file by itself.
func object(a nfs.Message) (*nfs.DirOp, nfs.FileType) {
	switch a := a.(type) {
	case *nfs.CreateArgs:
		return &a.Where, nfs.Regular
	case *nfs.MkdirArgs:
		return &a.Where, nfs.Directory
	case *nfs.SymlinkArgs:
		return &a.Where, nfs.SymbolicLink
	case *nfs.MknodArgs:
		return &a.Where, a.Type
	}
	return nil, 0
}

// isSame says whether an object of the right type has what was asked for.
func (l look) isSame(a nfs.Message, h nfs.Handle, attr *nfs.Attr) (bool, error) {
	switch a := a.(type) {
	case *nfs.CreateArgs:
		return a.Mode != nfs.Exclusive, nil
	case *nfs.SymlinkArgs:
		var r nfs.ReadLinkResult
		err := l.fs.Do(l.ctx, l.caller, nfs.ProcReadLink, &nfs.HandleArgs{Object: h}, &r)
		return err == nil && r.Status == nfs.OK && r.Path == a.Path, err
	case *nfs.MknodArgs:
		isDevice := a.Type == nfs.BlockDevice || a.Type == nfs.CharacterDevice
		return !isDevice || a.Device == attr.Rdev, nil
	}
	return true, nil
}

func (l look) isLinked(a *nfs.LinkArgs, r *nfs.LinkResult) (bool, error) {
	found, err := l.lookUp(&a.Link)
	if err != nil || found.Status != nfs.OK || !bytes.Equal(found.Object, a.File) {
		return false, err
	}
	r.Attr = found.Attr
	return true, nil
}

// isSet says whether an object has the attributes that a guarded SETATTR was to give it: with them its ctime has changed, which is what the
// second one stumbles over.
func (l look) isSet(a, r nfs.Message) (bool, error) {
	set, ok := a.(*nfs.SetAttrArgs)
	if !ok {
		return false, nil
	}
	has, err := l.getAttr(set.Object)
	if err != nil || has.Status != nfs.OK {
		return false, err
	}
	r.(*nfs.WccResult).Wcc.After = nfs.Some(has.Attr)
	want, attr := &set.Attr, &has.Attr
	return equals(want.Mode, attr.Mode&0o7777) && equals(want.UID, attr.UID) && equals(want.GID, attr.GID) && equals(want.Size, attr.Size) &&
		(want.Atime.How != nfs.SetToClientTime || want.Atime.Time == attr.Atime) &&
		(want.Mtime.How != nfs.SetToClientTime || want.Mtime.Time == attr.Mtime), nil
}

func equals[T comparable](want nfs.Optional[T], is T) bool { return !want.Follows || want.Value == is }
