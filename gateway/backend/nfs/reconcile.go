package nfs

import (
	"bytes"
	"context"
	"fmt"

	wire "forebay/protocols/nfs"
)

// reconcile puts right what the second execution of a change has answered: an object that isn't there any more, or is there already, because the
// first one was executed, means success, where a look at it doesn't say otherwise (PROTOCOL H2).
func (f *Filer) reconcile(ctx context.Context, c *wire.Caller, p wire.Procedure, a, r wire.Message) error {
	status := wire.StatusOf(r)
	made, err := false, error(nil)
	switch *status {
	case wire.ErrNoEnt:
		made, err = f.isGone(ctx, c, p, a)
	case wire.ErrExist:
		made, err = f.isThere(ctx, c, a, r)
	case wire.ErrNotSync:
		made, err = f.isSet(ctx, c, a, r)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", wire.ErrOutcomeUnknown, err)
	}
	if made {
		*status = wire.OK
	}
	return nil
}

// isGone says whether what isn't there was removed, or renamed: then its new name is there.
func (f *Filer) isGone(ctx context.Context, c *wire.Caller, p wire.Procedure, a wire.Message) (bool, error) {
	switch p {
	case wire.ProcRemove, wire.ProcRmdir:
		return true, nil
	case wire.ProcRename:
		from, err := f.lookUp(ctx, c, &a.(*wire.RenameArgs).From)
		if err != nil || from.Status != wire.ErrNoEnt {
			return false, err
		}
		to, err := f.lookUp(ctx, c, &a.(*wire.RenameArgs).To)
		return err == nil && to.Status == wire.OK, err
	}
	return false, nil
}

func (f *Filer) lookUp(ctx context.Context, c *wire.Caller, o *wire.DirOp) (*wire.LookupResult, error) {
	r := new(wire.LookupResult)
	return r, f.call(ctx, &request{procedure: wire.ProcLookup, caller: c, args: o, result: r})
}

// isThere says whether what is there already is what was to be made, and completes the result.
func (f *Filer) isThere(ctx context.Context, c *wire.Caller, a, r wire.Message) (bool, error) {
	if link, ok := a.(*wire.LinkArgs); ok {
		return f.isLinked(ctx, c, link, r.(*wire.LinkResult))
	}
	where, kind := object(a)
	if where == nil {
		return false, nil
	}
	found, err := f.lookUp(ctx, c, where)
	if err != nil || found.Status != wire.OK {
		return false, err
	}
	attr := wire.GetAttrResult{Attr: found.Attr.Value}
	if !found.Attr.Follows {
		err := f.call(ctx, &request{procedure: wire.ProcGetAttr, caller: c, args: &wire.HandleArgs{Object: found.Object}, result: &attr})
		if err != nil || attr.Status != wire.OK {
			return false, err
		}
	}
	if attr.Attr.Type != kind {
		return false, nil
	}
	if same, err := f.isSame(ctx, c, a, found.Object, &attr.Attr); err != nil || !same {
		return false, err
	}
	made := r.(*wire.CreateResult)
	made.Object, made.Attr = wire.Some(found.Object), wire.Some(attr.Attr)
	return true, nil
}

// object is what a procedure makes, and where. An exclusive CREATE finds its own file by itself.
func object(a wire.Message) (*wire.DirOp, wire.FileType) {
	switch a := a.(type) {
	case *wire.CreateArgs:
		return &a.Where, wire.Regular
	case *wire.MkdirArgs:
		return &a.Where, wire.Directory
	case *wire.SymlinkArgs:
		return &a.Where, wire.SymbolicLink
	case *wire.MknodArgs:
		return &a.Where, a.Type
	}
	return nil, 0
}

// isSame says whether an object of the right type has what was asked for.
func (f *Filer) isSame(ctx context.Context, c *wire.Caller, a wire.Message, h wire.Handle, attr *wire.Attr) (bool, error) {
	switch a := a.(type) {
	case *wire.CreateArgs:
		return a.Mode != wire.Exclusive, nil
	case *wire.SymlinkArgs:
		var r wire.ReadLinkResult
		err := f.call(ctx, &request{procedure: wire.ProcReadLink, caller: c, args: &wire.HandleArgs{Object: h}, result: &r})
		return err == nil && r.Status == wire.OK && r.Path == a.Path, err
	case *wire.MknodArgs:
		isDevice := a.Type == wire.BlockDevice || a.Type == wire.CharacterDevice
		return !isDevice || a.Device == attr.Rdev, nil
	}
	return true, nil
}

func (f *Filer) isLinked(ctx context.Context, c *wire.Caller, a *wire.LinkArgs, r *wire.LinkResult) (bool, error) {
	found, err := f.lookUp(ctx, c, &a.Link)
	if err != nil || found.Status != wire.OK || !bytes.Equal(found.Object, a.File) {
		return false, err
	}
	r.Attr = found.Attr
	return true, nil
}

// isSet says whether an object has the attributes that a guarded SETATTR was to give it: with them its ctime has changed, which is what the
// second one stumbles over.
func (f *Filer) isSet(ctx context.Context, c *wire.Caller, a, r wire.Message) (bool, error) {
	set, ok := a.(*wire.SetAttrArgs)
	if !ok {
		return false, nil
	}
	var has wire.GetAttrResult
	err := f.call(ctx, &request{procedure: wire.ProcGetAttr, caller: c, args: &wire.HandleArgs{Object: set.Object}, result: &has})
	if err != nil || has.Status != wire.OK {
		return false, err
	}
	r.(*wire.WccResult).Wcc.After = wire.Some(has.Attr)
	want, attr := &set.Attr, &has.Attr
	return equals(want.Mode, attr.Mode&0o7777) && equals(want.UID, attr.UID) && equals(want.GID, attr.GID) && equals(want.Size, attr.Size) &&
		(want.Atime.How != wire.SetToClientTime || want.Atime.Time == attr.Atime) &&
		(want.Mtime.How != wire.SetToClientTime || want.Mtime.Time == attr.Mtime), nil
}

func equals[T comparable](want wire.Optional[T], is T) bool { return !want.Follows || want.Value == is }
