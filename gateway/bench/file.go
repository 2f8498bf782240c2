package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// file is a file on an NFS server.
type file struct {
	opts     Options
	url      nfsURL
	cred     rpc.Credentials
	handle   nfs.Handle
	size     int64
	readMax  int // bytes of one READ
	writeMax int
	open     []*fileSession

	mu struct {
		sync.Mutex
		verifiers map[nfs.Verifier]struct{} // that answers had, up to maxVerifiers
	}
}

const maxVerifiers = 1000

// openFile mounts, looks the file up, and connects.
func openFile(ctx context.Context, o Options, e Endpoint) (device, error) {
	u, err := parseNFSURL(e.URL)
	if err != nil {
		return nil, err
	}
	f := &file{opts: o, url: u, cred: rpc.Credentials{Flavor: rpc.AuthSys, Machine: []byte("forebay-bench"), UID: u.uid, GID: u.gid}}
	f.mu.verifiers = make(map[nfs.Verifier]struct{})
	if err := f.connect(ctx); err != nil {
		f.close()
		return nil, fmt.Errorf("%s: %w", f.name(), err)
	}
	return f, nil
}

func (f *file) connect(ctx context.Context) error {
	for range f.opts.Sessions {
		f.open = append(f.open, newFileSession(f))
	}
	root, rest, err := mountFor(ctx, f.opts, &f.url, f.cred)
	if err != nil {
		return err
	}
	if err := f.find(ctx, f.open[0].caller, root, rest); err != nil {
		return err
	}
	if err := f.inquire(ctx, f.open[0].caller); err != nil {
		return err
	}
	if f.opts.Verify {
		return nil // each session connects with its first call
	}
	for _, s := range f.open {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	return nil
}

// inquire asks what the server transfers at a time.
func (f *file) inquire(ctx context.Context, c *caller) error {
	var r nfs.FSInfoResult
	if err := c.call(ctx, nfs.ProcFSInfo, &rpc.Request{Args: &nfs.HandleArgs{Object: f.handle}}, &r, func() {}); err != nil {
		return err
	}
	f.readMax, f.writeMax = min(int(r.ReadMax), maxBlock), min(int(r.WriteMax), maxBlock)
	if f.readMax < sectorSize || f.writeMax < sectorSize {
		return fmt.Errorf("%s: transfers of %d and %d bytes at most", nfs.ProcFSInfo, r.ReadMax, r.WriteMax)
	}
	return nil
}

func (f *file) name() string { return f.url.String() }

// geometry tells sectors for blocks, as a file has none.
func (f *file) geometry() geometry {
	g := geometry{kind: "file", block: sectorSize, size: f.size}
	if !f.opts.Create {
		g.hint = "; create makes it larger"
	}
	return g
}

func (f *file) sessions() (all []session) {
	for _, s := range f.open {
		all = append(all, s)
	}
	return all
}

func (f *file) counts() (n counts) {
	for _, s := range f.open {
		n.reconnects += s.reconnects()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n.verifiers = max(len(f.mu.verifiers)-1, 0)
	return n
}

// verified notes the write verifier of an answer. Another one than before says that the server may have lost what was not committed.
func (f *file) verified(v nfs.Verifier) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mu.verifiers) < maxVerifiers {
		f.mu.verifiers[v] = struct{}{}
	}
}

func (f *file) close() {
	for _, s := range f.open {
		s.close()
	}
}

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
