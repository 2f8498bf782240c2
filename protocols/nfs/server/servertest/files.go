// Package servertest makes a server.FileSystem of any nfs.FileSystem, as the in-memory one of nfstest is, for tests of servers and of what
// serves.
package servertest

import (
	"context"
	"sync/atomic"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// sink is a server.Sink, whose package this one's users are in.
type sink = interface {
	Add(p []byte, owner rpc.Releaser, token uint64)
}

// Files passes everything on to a file system, and executes at once what may be.
type Files struct {
	nfs.FileSystem
	Cold atomic.Bool // nothing is executed at once
	Pins atomic.Int64
}

// Now implements server.FileSystem.
func (f *Files) Now(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) bool {
	return !f.Cold.Load() && f.Do(context.Background(), c, p, a, r) == nil
}

// ReadNow implements server.FileSystem.
func (f *Files) ReadNow(c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data sink) bool {
	return !f.Cold.Load() && f.Read(context.Background(), c, a, r, data) == nil
}

// Read implements server.FileSystem. Pins are the pieces of data that have not been given back.
func (f *Files) Read(ctx context.Context, c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data sink) error {
	r.Data = make([]byte, a.Count)
	if err := f.Do(ctx, c, nfs.ProcRead, a, r); err != nil {
		return err
	}
	if r.Status == nfs.OK {
		f.Pins.Add(1)
		data.Add(r.Data, f, 0)
	}
	r.Data = nil
	return nil
}

// Release implements rpc.Releaser.
func (f *Files) Release(uint64) { f.Pins.Add(-1) }
