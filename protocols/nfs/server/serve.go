package server

import (
	"context"
	"fmt"
	"math"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// Serve answers a request.
func (s *Server) Serve(ctx context.Context, c *rpc.Call) {
	r := s.take(c)
	defer r.give()
	if r.args == nil {
		c.Fail(rpc.ProcUnavail)
		return
	}
	switch status, _ := r.prepare(ctx); {
	case status != nfs.OK:
		r.refuse(status)
	case r.onceOnly():
		r.serveOnce(ctx)
	case r.exclusive():
		r.serveShared(ctx)
	default:
		r.execute(ctx)
		r.finish(ctx)
	}
}

// execute has the file system execute the request. Whatever comes of it stands in the result.
func (r *request) execute(ctx context.Context) {
	if err := r.do(ctx); err != nil {
		r.fail(err)
	}
}

// do is execute, but for what an error makes of the result.
func (r *request) do(ctx context.Context) error {
	if a, ok := r.args.(*nfs.ReadArgs); ok {
		return r.export.Files.Read(ctx, &r.caller, a, &r.hot.readResult, &r.call.Data)
	}
	if err := r.confine(ctx); err != nil {
		return err
	}
	return r.export.Files.Do(ctx, &r.caller, r.proc, r.roomy(), r.result)
}

// finish makes the result of the file system what the client gets, and answers.
func (r *request) finish(ctx context.Context) {
	switch m := r.result.(type) {
	case *nfs.ReadResult:
		r.checkRead()
	case *nfs.LookupResult:
		r.sealLookup(ctx)
	case *nfs.AccessResult:
		r.maskAccess()
	case *nfs.CreateResult:
		r.sealCreated(ctx, m)
	case *nfs.FSInfoResult:
		boundInfo(m)
	case *nfs.ReadDirResult:
		r.list(m)
		return
	case *nfs.ReadDirPlusResult:
		r.listPlus(ctx, m)
		return
	}
	r.answer()
}

// checkRead holds a READ against the data that came with it: a reply that says another length than it has would take the connection
// along.
func (r *request) checkRead() {
	m, n := &r.hot.readResult, r.call.Data.Len()
	switch {
	case m.Status != nfs.OK:
		r.call.Data.Release()
	case int64(m.Count) != int64(n) || m.Count > r.hot.read.Count:
		r.fail(fmt.Errorf("%d bytes came, of %d that are said and %d that were asked for", n, m.Count, r.hot.read.Count))
	}
}

// maskAccess takes away what a read-only export grants to nobody.
func (r *request) maskAccess() {
	if r.proc == nfs.ProcAccess && r.export.ReadOnly {
		r.hot.accessResult.Access &= accessReadOnly
	}
}

const (
	preferredTransfer = MaxTransfer
	preferredListing  = 64 << 10
)

// boundInfo bounds the sizes of FSINFO by what rpc carries.
func boundInfo(m *nfs.FSInfoResult) {
	bound := func(size *uint32, most, otherwise uint32) {
		if *size == 0 {
			*size = otherwise
		}
		*size = min(*size, most)
	}
	bound(&m.ReadMax, MaxTransfer, MaxTransfer)
	bound(&m.ReadPref, m.ReadMax, preferredTransfer)
	bound(&m.WriteMax, MaxTransfer, MaxTransfer)
	bound(&m.WritePref, m.WriteMax, preferredTransfer)
	bound(&m.ReadDirPref, MaxTransfer, preferredListing)
	m.MaxFileSize = min(m.MaxFileSize, math.MaxInt64)
}
