package bench

import (
	"context"
	"errors"
	"fmt"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// find looks the file up, whose path below root is rest, and makes it if that is wanted.
func (f *file) find(ctx context.Context, c *caller, root nfs.Handle, rest []string) error {
	dir, last := root, len(rest)-1
	for _, name := range rest[:last] {
		next, attr, err := lookup(ctx, c, dir, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if attr.Type == nfs.SymbolicLink {
			return fmt.Errorf("%s is a symbolic link, which is not followed", name)
		}
		dir = next
	}
	handle, attr, err := lookup(ctx, c, dir, rest[last])
	switch {
	case errors.Is(err, nfs.ErrNoEnt) && !f.opts.Create:
		return errors.New("there is no such file; create makes it")
	case errors.Is(err, nfs.ErrNoEnt):
		if err := f.create(ctx, c, dir, rest[last]); err != nil {
			return err
		}
		handle, attr, err = lookup(ctx, c, dir, rest[last])
	}
	switch {
	case err != nil:
		return err
	case attr.Type != nfs.Regular:
		return errors.New("this is no regular file")
	}
	f.handle, f.size = handle, int64(attr.Size)
	return f.extend(ctx, c)
}

// lookup returns what has a name in a directory.
func lookup(ctx context.Context, c *caller, dir nfs.Handle, name string) (h nfs.Handle, attr nfs.Attr, err error) {
	var r nfs.LookupResult
	err = c.call(ctx, nfs.ProcLookup, &rpc.Request{Args: &nfs.DirOp{Dir: dir, Name: name}}, &r, func() { h = append(h, r.Object...) })
	if err != nil || r.Attr.Follows {
		return h, r.Attr.Value, err
	}
	var a nfs.GetAttrResult
	err = c.call(ctx, nfs.ProcGetAttr, &rpc.Request{Args: &nfs.HandleArgs{Object: h}}, &a, func() {})
	return h, a.Attr, err
}

// create makes the file. Another one may have been faster.
func (f *file) create(ctx context.Context, c *caller, dir nfs.Handle, name string) error {
	args := &nfs.CreateArgs{Where: nfs.DirOp{Dir: dir, Name: name}, Mode: nfs.Unchecked, Attr: nfs.SetAttr{Mode: nfs.Some(uint32(0o644))}}
	return c.call(ctx, nfs.ProcCreate, &rpc.Request{Args: args}, new(nfs.CreateResult), func() {})
}

// extend makes the file as large as the working set needs, if that is wanted. What is new reads as zeros.
func (f *file) extend(ctx context.Context, c *caller) error {
	want := f.opts.Offset + f.opts.WorkingSet
	if !f.opts.Create || f.size >= want {
		return nil
	}
	args := &nfs.SetAttrArgs{Object: f.handle, Attr: nfs.SetAttr{Size: nfs.Some(uint64(want))}}
	if err := c.call(ctx, nfs.ProcSetAttr, &rpc.Request{Args: args}, new(nfs.WccResult), func() {}); err != nil {
		return err
	}
	f.size = want
	return nil
}
