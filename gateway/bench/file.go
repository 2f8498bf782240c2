package bench

import (
	"context"
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
