package gateway

import (
	"context"
	"sync"
	"testing"

	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// gathering is a filer that answers WRITEs when so many are there.
type gathering struct {
	memory
	there *sync.WaitGroup
}

func (f gathering) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if p == nfs.ProcWrite {
		f.there.Done()
		f.there.Wait()
	}
	return f.memory.Do(ctx, c, p, a, r)
}

// What the commands of one connection may hold is configured: more than 16 MiB of WRITEs are under way here at once.
func TestTheMemoryOfAConnectionIsConfigured(t *testing.T) {
	const writes = 20
	n := builtNAS(t, openToAll(t, nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", "squash: none")
	n.config.Gateway.Limits.MemoryPerConnection = configs.Size(32 * mib)
	f := gathering{memory{n.mem}, new(sync.WaitGroup)}
	f.there.Add(writes)
	n.attach(f)
	n.up()
	n.mem.Put("a", nil)
	c, err := n.client("/x0")
	if err != nil {
		t.Fatal(err)
	}
	file := (nfstest.User{T: t, FS: c}).Lookup(c.Root(), "a").Object
	var all sync.WaitGroup
	for i := range uint64(writes) {
		all.Go(func() {
			u := nfstest.User{T: t, FS: c}
			if w := u.Write(file, i*mib, nfs.FileSync, make([]byte, mib)); w.Status != nfs.OK || w.Count != mib {
				t.Errorf("%+v", w)
			}
		})
	}
	all.Wait()
}
