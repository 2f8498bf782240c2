package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/api"
	remote "forebay/gateway/backend/nfs"
	"forebay/gateway/export"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/portmap"
	"forebay/protocols/nfs/rpc"
)

// nas is a gateway that exports filers in memory, and does nothing else. They all have the same files.
type nas struct {
	*Gateway
	t   *testing.T
	mem *nfstest.Mem
}

// builtNAS is one that is built and listens nowhere: with an export /x0, /x1, ... for each of some mappings' keys, each over an array with further keys.
func builtNAS(t *testing.T, mem *nfstest.Mem, store etcd.Store, listen, array string, exports ...string) *nas {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`gateway: {name: gw-a, data-dir: %s, listen: {nfs: "127.0.0.1:0", mount: "127.0.0.1:0", %s}, tiers: [{pool: fast, ram: 1MiB}]}
pools: [{name: fast}]
`, dir, listen)
	volumes := "volumes:\n"
	text += "arrays:\n"
	for i, keys := range exports {
		text += fmt.Sprintf("  - {name: nas%d, nfs: {server: 192.0.2.1, export: /, %s}}\n", i, array)
		volumes += fmt.Sprintf("  - {name: v%[1]d, from: {array: nas%[1]d}, pool: fast, nfs: {export: /x%[1]d, %[2]s}}\n", i, keys)
	}
	log := newLines(t).logger()
	n := &nas{Gateway: New(Options{Config: parse(t, dir, text+volumes), Log: log}), t: t, mem: mem}
	n.store = store
	p, err := newPool(n.config.Gateway.Tiers[0], false, log)
	if err != nil {
		t.Fatal(err)
	}
	n.pools["fast"] = p
	if err := n.buildServer(); err != nil {
		t.Fatal(err)
	}
	known, bases, objects := arrays{store: store, filers: n.filers, log: log}, map[writelog.Shard]cachecore.Epoch{}, new(export.Objects)
	for i, c := range n.config.Volumes {
		n.filers[c.From.Array] = newFiler(c.From.Array, filerNFS, nil, log)
		if err := n.addShare(t.Context(), known, c, n.config.Arrays[i], p, objects, bases); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := errors.Join(n.closeVolumes(), n.release()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// attach opens all filers.
func (n *nas) attach(f files) {
	for _, x := range n.filers {
		x.attached(f)
	}
}

// newNAS is one that serves on the loopback.
func newNAS(t *testing.T, mem *nfstest.Mem, store etcd.Store, listen string, exports ...string) *nas {
	t.Helper()
	n := builtNAS(t, mem, store, listen, "", exports...)
	n.attach(memory{mem})
	n.up()
	return n
}

// up has it listen.
func (n *nas) up() {
	t := n.t
	t.Helper()
	if err := n.buildNFS(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, frontends := newLines(t), newTasks()
	n.listeners = newListeners(log.logger())
	n.serveNFS(frontends)
	t.Cleanup(func() {
		n.nfs.shutdown(context.Background())
		if err := frontends.end("frontends"); err != nil {
			t.Error(err)
		}
	})
	log.wait("listening", `"listener":"nfs"`)
	log.wait("listening", `"listener":"mount"`)
	for n.config.Gateway.Listen.Portmap.On() { // on TCP and UDP
		up, changed := log.look([]string{"listening", `"listener":"portmap"`})
		if len(up) == 2 {
			break
		}
		<-changed
	}
}

// port is where a service listens.
func (n *nas) port(service string) int {
	return int(netip.MustParseAddrPort(n.listeners.of(service)[0]).Port())
}

// client mounts a directory, as somebody who calls from a port that everybody has.
func (n *nas) client(dir string) (*remote.Filer, error) {
	n.t.Helper()
	c, err := remote.Open(n.t.Context(), remote.Options{Server: "127.0.0.1", Export: dir, Port: n.port(serviceNFS), MountPort: n.port(serviceMount),
		Connections: 1, Dial: new(net.Dialer).DialContext})
	if err == nil {
		n.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// owners has root and a user make a file in an export's root, and says whose they are then, or what the client is told.
func (n *nas) owners(dir string) string {
	n.t.Helper()
	c, err := n.client(dir)
	var refusal mount.Status
	switch {
	case errors.As(err, &refusal):
		return refusal.Error()
	case err != nil:
		n.t.Fatal(err)
	}
	u := nfstest.User{T: n.t, FS: c}
	var owners []string
	for name, as := range map[string]nfstest.User{"root": u.As(0, 0), "user": u.As(5, 6)} {
		made := as.Create(c.Root(), dir[1:]+name, 0o600)
		if made.Status != nfs.OK {
			return made.Status.Error()
		}
		owners = append(owners, fmt.Sprintf("%s is %d:%d", name, made.Attr.Value.UID, made.Attr.Value.GID))
	}
	slices.Sort(owners)
	return strings.Join(owners, ", ")
}

// openToAll is a filer whose root everybody may write to.
func openToAll(t *testing.T, o nfstest.Options) *nfstest.Mem {
	mem := nfstest.New(o)
	if r := (nfstest.User{T: t, FS: mem}).Chmod(mem.Root(), 0o777); r.Status != nfs.OK {
		t.Fatal(r.Status)
	}
	return mem
}

func TestAnExportIsServedToWhomTheConfigurationSaysAndAsIt(t *testing.T) {
	cases := []struct{ keys, want string }{
		{"squash: none", "root is 0:0, user is 5:6"},
		{"", "root is 65534:65534, user is 5:6"},
		{"squash: root, anon: {uid: 1001, gid: 1002}", "root is 1001:1002, user is 5:6"},
		{"squash: all, anon: {uid: 1001, gid: 1002}", "root is 1001:1002, user is 1001:1002"},
		{"squash: all", "root is 65534:65534, user is 65534:65534"},
		{"squash: none, read-only: true", "NFS3ERR_ROFS"},
		{"squash: none, clients: [192.0.2.0/24]", "MNT3ERR_ACCES"},
		{"squash: none, clients: [192.0.2.0/24, 127.0.0.0/8]", "root is 0:0, user is 5:6"},
		{"squash: none, secure-ports: true", "MNT3ERR_ACCES"},
	}
	var exports []string
	for _, c := range cases {
		exports = append(exports, c.keys)
	}
	n := newNAS(t, openToAll(t, nfstest.Options{}), etcd.NewMemory(), "portmap: off", exports...)
	for i, c := range cases {
		if got := n.owners(fmt.Sprintf("/x%d", i)); got != c.want {
			t.Errorf("{%s}: %s, want %s", c.keys, got, c.want)
		}
	}
}

// What clients have is good at any gateway of the cluster, after a restart too, and nowhere else.
func TestHandlesAreTheClusters(t *testing.T) {
	for _, size := range []int{16, nfs.MaxHandle} {
		cluster, mem := etcd.NewMemory(), nfstest.New(nfstest.Options{HandleSize: size})
		one, err := newNAS(t, mem, cluster, "portmap: off", "").client("/x0")
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			store etcd.Store
			want  nfs.Status
		}{"the cluster": {cluster, nfs.OK}, "another cluster": {etcd.NewMemory(), nfs.ErrBadHandle}} {
			other, err := newNAS(t, mem, c.store, "portmap: off", "").client("/x0")
			if err != nil {
				t.Fatal(err)
			}
			if got := (nfstest.User{T: t, FS: other}).GetAttr(one.Root()); got.Status != c.want {
				t.Errorf("handles of %d bytes, in %s: %v, want %v", size, name, got.Status, c.want)
			}
		}
	}
}

func TestStatusTellsOfExports(t *testing.T) {
	n := newNAS(t, openToAll(t, nfstest.Options{}), etcd.NewMemory(), "portmap: off", "squash: none", "squash: none")
	n.mem.Put("dir/file", make([]byte, 10000))
	c, err := n.client("/x0/dir")
	if err != nil {
		t.Fatal(err)
	}
	u := nfstest.User{T: t, FS: c}
	file := u.Lookup(c.Root(), "file").Object
	u.Read(file, 0, 5000)
	u.Read(file, 0, 5000)
	u.Write(file, 0, nfs.FileSync, make([]byte, 100))
	u.Remove(c.Root(), "missing")
	s := n.Status()
	if len(s.Arrays) != 2 || s.Arrays[0] != (api.Array{Name: "nas0", Kind: "nfs", State: "attached", Identity: "memory"}) {
		t.Errorf("%+v", s.Arrays)
	}
	caller := func(c api.NFSClient) bool { return c.Calls >= 5 && strings.HasPrefix(c.Address, "127.0.0.1:") } // beside the connection to MOUNT
	if len(s.Gateway.NFS) != 1 || len(s.Gateway.Mount) != 1 || !slices.ContainsFunc(s.Clients, caller) {
		t.Errorf("%+v, %+v", s.Gateway, s.Clients)
	}
	v, idle := s.Volumes[0], s.Volumes[1]
	if v.Export != "/x0" || v.Sessions != 1 || v.Reads.Operations != 2 || v.Reads.Bytes != 10000 || v.Writes.Operations != 1 || v.Writes.Bytes != 100 || v.Effective != "write-through" {
		t.Errorf("%+v", v)
	}
	if idle.Export != "/x1" || idle.Sessions != 0 || len(idle.Procedures) != 0 {
		t.Errorf("%+v", idle)
	}
	metrics := values(gather(t, n.Gateway))
	for name, want := range map[string][2]uint64{"READ": {2, 0}, "WRITE": {1, 0}, "LOOKUP": {1, 0}, "REMOVE": {1, 1}} {
		i := slices.IndexFunc(v.Procedures, func(p api.Procedure) bool { return p.Name == name })
		if i < 0 {
			t.Errorf("%s is not told: %+v", name, v.Procedures)
			continue
		}
		if p := v.Procedures[i]; p.Calls != want[0] || p.NotOK != want[1] || p.Latency.Count != want[0] || p.Latency.P99 <= 0 {
			t.Errorf("%+v, want %d", p, want)
		}
		if calls, notOK := metrics["nfs_calls_total "+name+" v0"], metrics["nfs_not_ok_total "+name+" v0"]; calls != float64(want[0]) || notOK != float64(want[1]) {
			t.Errorf("%s: %v and %v in metrics", name, calls, notOK)
		}
	}
	n.filers["nas0"].hear(false, "no sign of life")
	if s := n.Status(); s.Arrays[0].State != "away" || s.Arrays[0].Reason != "no sign of life" || s.Volumes[0].Effective != "suspended" ||
		s.Volumes[0].Reason != "array nas0: no sign of life" {
		t.Errorf("%+v, %+v", s.Arrays[0], s.Volumes[0])
	}
}

func TestThePortMapperTellsWhereThingsAre(t *testing.T) {
	want := portmap.Mappings{{Program: 100003, Version: 3, Protocol: portmap.TCP, Port: 2049}, {Program: 100005, Version: 1, Protocol: portmap.TCP, Port: 20048},
		{Program: 100005, Version: 2, Protocol: portmap.TCP, Port: 20048}, {Program: 100005, Version: 3, Protocol: portmap.TCP, Port: 20048},
		{Program: 100000, Version: 2, Protocol: portmap.TCP, Port: 111}, {Program: 100000, Version: 2, Protocol: portmap.UDP, Port: 111}}
	got := mappings(configs.Listen{NFS: "127.0.0.1:2049", Mount: "127.0.0.1:20048", Portmap: "0.0.0.0:111"})
	if !slices.Equal(got, portmap.Server(want)) {
		t.Errorf("%+v", got)
	}
}

func TestThePortMapperListensIfItIsConfigured(t *testing.T) {
	n := newNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "", "")
	if n := len(n.listeners.mu.all); n != 2 {
		t.Errorf("%d addresses are listened on, not NFS's and MOUNT's", n)
	}
	n = newNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), `portmap: "127.0.0.1:0"`, "")
	at := n.listeners.of(servicePortmap)
	if len(at) != 2 {
		t.Fatalf("it listens at %q", at)
	}
	c := rpc.NewClient(rpc.ClientOptions{Address: at[0], Program: portmap.Program, Version: portmap.Version})
	defer c.Close()
	reply, err := c.Call(t.Context(), &rpc.Request{Procedure: portmap.ProcDump})
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Release()
	var list portmap.Mappings
	if err := reply.Decode(&list); err != nil || len(list) != 6 {
		t.Errorf("%+v, %v", list, err)
	}
	socket, err := net.Dial("udp", at[1])
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	null := append([]byte{0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xa0, 0, 0, 0, 2}, make([]byte, 20)...)
	if _, err := socket.Write(null); err != nil {
		t.Fatal(err)
	}
	_ = socket.SetReadDeadline(time.Now().Add(time.Minute))
	p := make([]byte, 100)
	if n, err := socket.Read(p); err != nil || n != 24 || p[3] != 9 {
		t.Errorf("% x, %v", p[:n], err)
	}
}

func TestHowLongAttributesAreTakenForTrueIsConfigured(t *testing.T) {
	n := builtNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", "attribute-cache: 1h", "attribute-cache: 0s")
	n.attach(memory{n.mem})
	for i, want := range []int{1, 3} {
		before := n.mem.Calls(nfs.ProcGetAttr)
		for range 3 {
			(nfstest.User{T: t, FS: n.shares[i].export}).GetAttr(n.mem.Root())
		}
		if got := n.mem.Calls(nfs.ProcGetAttr) - before; got != want {
			t.Errorf("%s asks %d times, not %d", n.shares[i].config.NFS.Export, got, want)
		}
	}
}

// A filer that doesn't say what a file was like before a WRITE is believed to be left alone by others if the configuration says so.
func TestTheSoleWriterIsConfigured(t *testing.T) {
	for keys, want := range map[string]int{"attribute-cache: 1h, sole-writer: true": 0, "attribute-cache: 1h": 1} {
		n := builtNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", keys)
		n.attach(terse{memory{n.mem}})
		u := nfstest.User{T: t, FS: n.shares[0].served.Files}
		h := n.mem.Put("a", make([]byte, 8192))
		read := func() {
			var sink discard
			if err := n.shares[0].export.Read(t.Context(), new(nfs.Caller), &nfs.ReadArgs{File: h, Offset: 4096, Count: 4096}, new(nfs.ReadResult), &sink); err != nil {
				t.Fatal(err)
			}
		}
		read()
		u.Write(h, 0, nfs.FileSync, make([]byte, 4096))
		before := n.mem.Calls(nfs.ProcRead)
		read()
		if got := n.mem.Calls(nfs.ProcRead) - before; (got > 0) != (want > 0) {
			t.Errorf("{%s}: %d READs after the WRITE", keys, got)
		}
	}
}

// terse is a filer that leaves out what an object was like before a change.
type terse struct{ memory }

func (f terse) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	err := f.memory.Do(ctx, c, p, a, r)
	if w, ok := r.(*nfs.WriteResult); ok {
		w.Wcc.Before = nfs.Optional[nfs.WccAttr]{}
	}
	return err
}

// discard is a sink that gives everything back at once.
type discard struct{}

func (discard) Add(_ []byte, owner rpc.Releaser, token uint64) {
	if owner != nil {
		owner.Release(token)
	}
}

// What a filer has forgotten that restarted is not read from the cache, whoever finds out.
func TestE1_WhatTheFilerForgotIsNotReadFromTheCache(t *testing.T) {
	n := builtNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", "attribute-cache: 1h")
	n.attach(memory{n.mem})
	u := nfstest.User{T: t, FS: n.shares[0].export}
	u.GetAttr(n.mem.Root())
	n.filers["nas0"].forgot()
	before := n.mem.Calls(nfs.ProcGetAttr)
	if u.GetAttr(n.mem.Root()); n.mem.Calls(nfs.ProcGetAttr) == before {
		t.Error("what was known before is answered")
	}
}

func TestHowAnAbsentFilerIsToldIsConfigured(t *testing.T) {
	for mode, want := range map[string]error{"hard": nfs.ErrAway, "soft": nfs.ErrIO} {
		n := builtNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "mode: "+mode, "")
		err := n.shares[0].export.Do(t.Context(), new(nfs.Caller), nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.mem.Root()}, new(nfs.GetAttrResult))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", mode, err, want)
		}
	}
}

func TestAnExportsCallsAreHeldAsThePolicySays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := builtNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "", "")
		c, f := n.config.Volumes[0], n.filers["nas0"]
		c.Policy.OnArrayLoss.Hold = time.Hour
		s, err := newShare(c, 9, n.pools["fast"], new(export.Objects), f, nil, false, n.log)
		if err != nil {
			t.Fatal(err)
		}
		n.shares = append(n.shares, s)
		began := time.Now()
		time.AfterFunc(30*time.Minute, func() { n.attach(memory{n.mem}) })
		if r := (nfstest.User{T: t, FS: s.export}).GetAttr(n.mem.Root()); r.Status != nfs.OK || time.Since(began) < 30*time.Minute {
			t.Errorf("%v after %v", r.Status, time.Since(began))
		}
	})
}

// hearer is a user of a filer that tells what it hears.
type hearer struct{ there, forgot chan struct{} }

func (h hearer) filerThere()  { h.there <- struct{}{} }
func (h hearer) filerAway()   {}
func (h hearer) filerForgot() { h.forgot <- struct{}{} }

// Who waits for a filer that went while it was being attached is told when it is back.
func TestAFilerThatGoesWhileItIsAttachedComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *filer
		f = newFiler("nas", filerNFS, func(context.Context) (files, error) {
			f.hear(false, "cable pulled")
			return memory{nfstest.New(nfstest.Options{})}, nil
		}, newLines(t).logger())
		heard := hearer{make(chan struct{}, 9), nil}
		f.users = append(f.users, heard)
		ctx, cancel := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { f.run(ctx) })
		synctest.Wait()
		if attached, reason := f.state(); attached || reason != "cable pulled" {
			t.Error(attached, reason)
		}
		before := len(heard.there)
		f.hear(true, "")
		if attached, _ := f.state(); !attached || len(heard.there) != before+1 {
			t.Error("nobody is told that it is back")
		}
		cancel()
		ended.Wait()
	})
}

// The filer is another gateway.
func TestAFilerIsAttachedAsItIsConfigured(t *testing.T) {
	store, log := etcd.NewMemory(), newLines(t)
	attach := func(behind *nas) (f *filer, heard hearer) {
		a := configs.Array{Name: "up", NFS: &configs.NFSArray{Server: "127.0.0.1", Export: "/x0", Port: behind.port(serviceNFS), MountPort: behind.port(serviceMount)}}
		heard = hearer{make(chan struct{}, 9), make(chan struct{}, 9)}
		f = arrays{store: store, filers: map[string]*filer{}, log: log.logger()}.filer(a)
		f.users = append(f.users, heard)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.run(ctx)
		}()
		t.Cleanup(func() { cancel(); <-ended })
		return f, heard
	}
	behind := newNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "squash: none")
	f, heard := attach(behind)
	<-heard.there
	root, err := f.root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u := nfstest.User{T: t, FS: f}
	made := u.Create(root, "a", 0o600)
	u.Write(made.Object.Value, 0, nfs.Unstable, make([]byte, 100))
	if len(heard.forgot) != 0 {
		t.Error("it has forgotten nothing yet")
	}
	behind.mem.Restart()
	u.Write(made.Object.Value, 0, nfs.Unstable, make([]byte, 100))
	if len(heard.forgot) != 1 {
		t.Errorf("its users are told %d times that it has forgotten something", len(heard.forgot))
	}

	other := newNAS(t, nfstest.New(nfstest.Options{FSID: 2}), etcd.NewMemory(), "portmap: off", "squash: none")
	_, heard = attach(other)
	log.wait("can't be attached", cachecore.ErrIdentity.Error())
	if len(heard.there) != 0 {
		t.Error("another medium is attached in its place")
	}
}
