package gateway

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/requests"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/server"
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

// The same of iSCSI.
func TestTheMemoryOfAnISCSIConnectionIsConfigured(t *testing.T) {
	const writes = 20
	large := func(s *san) { s.mem = arraytest.NewMem(cachecore.ArrayInfo{Size: writes * mib}) }
	whenServedWithin(t, configs.Limits{MemoryPerConnection: 64 * mib}, 1, fail, large, func(t *testing.T, w *whole) {
		s, hung := w.logIn(), make(chan struct{})
		w.sans[0].set(func(x *san) { x.hung = hung })
		var failures []<-chan error
		for i := range uint64(writes) {
			c := &initiator.Command{Out: make([]byte, mib)}
			c.Write(i*mib/512, mib/512, false)
			failures = append(failures, w.submit(s, c))
		}
		synctest.Wait()
		if n := w.sans[0].count("write"); n != writes {
			t.Errorf("the array has %d writes under way", n)
		}
		close(hung)
		for _, failure := range failures {
			if err := <-failure; err != nil {
				t.Error(err)
			}
		}
		w.stop()
		if err := w.end(0); err != nil {
			t.Error(err)
		}
		<-s.Over()
	})
}

// holding is a filer that holds WRITEs.
type holding struct {
	memory
	came  chan struct{}
	going chan struct{}
}

func (f holding) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if p == nfs.ProcWrite {
		f.came <- struct{}{}
		<-f.going
	}
	return f.memory.Do(ctx, c, p, a, r)
}

// How many connections a filer gets is configured: each long call goes over one that has nothing to do.
func TestTheConnectionsToAFilerAreConfigured(t *testing.T) {
	const connections = 6
	n := builtNAS(t, openToAll(t, nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", "squash: none")
	f := holding{memory{n.mem}, make(chan struct{}), make(chan struct{})}
	n.attach(f)
	n.up()
	n.mem.Put("a", nil)
	array := configs.Array{Name: "nas", NFS: &configs.NFSArray{Server: "127.0.0.1", Export: "/x0", Port: n.port(serviceNFS), MountPort: n.port(serviceMount),
		Connections: connections}}
	known := arrays{store: etcd.NewMemory(), filers: map[string]*filer{}, log: n.log}
	opened, err := known.filer(array).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u := nfstest.User{T: t, FS: opened}
	file := u.Lookup(opened.Root(), "a").Object
	var all sync.WaitGroup
	for i := range uint64(connections) {
		all.Go(func() { u.Write(file, i*mib, nfs.FileSync, make([]byte, mib)) })
	}
	for range connections {
		<-f.came
	}
	busy := 0
	for _, c := range n.nfs.clients() {
		busy += min(c.InFlight, 1)
	}
	if busy != connections {
		t.Errorf("%d connections are in use", busy)
	}
	close(f.going)
	all.Wait()
	if err := opened.Close(); err != nil {
		t.Error(err)
	}
}

// ending is a filer that executes a REMOVE when its caller is about to be cut.
type ending struct {
	memory
	began chan struct{}
}

func (f ending) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if p == nfs.ProcRemove {
		close(f.began)
		<-ctx.Done()
	}
	return f.memory.Do(context.WithoutCancel(ctx), c, p, a, r)
}

// What is executed at the very end, and answered to nobody, is not executed again by the next life.
func TestH2_RequestsAreRecordedUntilTheLastIsExecuted(t *testing.T) {
	n := builtNAS(t, openToAll(t, nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", "squash: none")
	f := ending{memory{n.mem}, make(chan struct{})}
	n.attach(f)
	n.up()
	n.mem.Put("a", nil)
	c, err := n.client("/x0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		_ = c.Do(t.Context(), &nfs.Caller{}, nfs.ProcRemove, &nfs.DirOp{Dir: c.Root(), Name: "a"}, new(nfs.WccResult)) // cut
	})
	<-f.began
	now, cancel := context.WithCancel(t.Context())
	cancel()
	n.nfs.shutdown(now)
	c.Close()
	all.Wait()
	next, err := requests.Open(filepath.Join(n.config.Gateway.DataDir, requestsFile), n.log)
	if err != nil {
		t.Fatal(err)
	}
	if list := next.Earlier(); len(list) == 0 || list[len(list)-1].Step != server.Outcome || list[len(list)-1].ID.Procedure != uint32(nfs.ProcRemove) {
		t.Errorf("the next life knows %+v", list)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}
