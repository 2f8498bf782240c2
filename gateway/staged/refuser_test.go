package staged

import (
	"context"
	"sync/atomic"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// refuser is a filer that answers some calls with a status while it is on.
type refuser struct {
	nfs.FileSystem
	which  nfstest.Which
	status nfs.Status
	on     atomic.Bool
}

func (f *refuser) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if f.on.Load() && f.which(p, a) {
		*nfs.StatusOf(r) = f.status
		return nil
	}
	return f.FileSystem.Do(ctx, c, p, a, r)
}
