package server

import (
	"context"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

func TestAnExportAdmitsItsClients(t *testing.T) {
	inside := prefixes("10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.0/120")
	for _, c := range []struct {
		client  string
		clients []netip.Prefix
		secure  bool
		want    bool
	}{
		{"10.1.2.3:700", inside, false, true},
		{"[::ffff:10.1.2.3]:700", inside, false, true},
		{"11.1.2.3:700", inside, false, false},
		{"[2001:db8::1]:700", inside, false, true},
		{"[2001:db8::1%eth0]:700", inside, false, true},
		{"[2001:db9::1]:700", inside, false, false},
		{"192.0.2.9:700", inside, false, true},
		{"192.0.3.9:700", inside, false, false},
		{"11.1.2.3:700", nil, false, true},
		{"10.1.2.3:1023", inside, true, true},
		{"10.1.2.3:1024", inside, true, false},
		{"11.1.2.3:1023", nil, true, true},
		{"11.1.2.3:1024", nil, true, false},
	} {
		list, err := newTable([]*Export{{Path: "/x", Clients: c.clients, SecurePorts: c.secure}})
		if err != nil {
			t.Fatal(err)
		}
		if got := list.list[0].admits(netip.MustParseAddrPort(c.client)); got != c.want {
			t.Errorf("%s of %v, secure ports %t: %t", c.client, c.clients, c.secure, got)
		}
	}
	list, _ := newTable([]*Export{{Path: "/x", Clients: inside}, {ID: 1, Path: "/y", SecurePorts: true}, {ID: 2, Path: "/z"}})
	for _, e := range list.list {
		if got := e.admits(netip.AddrPort{}); got != (e.Path == "/z") {
			t.Errorf("a client without an address, in %s: %t", e.Path, got)
		}
	}
}

func TestWhoIsSquashed(t *testing.T) {
	anon := nfs.Caller{UID: 65534, GID: 65533, GIDs: []uint32{5}}
	for _, c := range []struct {
		squash Squash
		flavor rpc.Flavor
		caller nfs.Caller
		want   nfs.Caller
	}{
		{SquashNone, rpc.AuthSys, nfs.Caller{UID: 0, GID: 0, GIDs: []uint32{0, 4}}, nfs.Caller{UID: 0, GID: 0, GIDs: []uint32{0, 4}}},
		{SquashNone, rpc.AuthNone, nfs.Caller{}, anon},
		{SquashRoot, rpc.AuthSys, nfs.Caller{UID: 0, GID: 7, GIDs: []uint32{0, 4}}, anon},
		{SquashRoot, rpc.AuthSys, nfs.Caller{UID: 9, GID: 7, GIDs: []uint32{3, 4}}, nfs.Caller{UID: 9, GID: 7, GIDs: []uint32{3, 4}}},
		{SquashRoot, rpc.AuthSys, nfs.Caller{UID: 9, GID: 0, GIDs: []uint32{0, 4}}, nfs.Caller{UID: 9, GID: 65533, GIDs: []uint32{65533, 4}}},
		{SquashRoot, rpc.AuthNone, nfs.Caller{}, anon},
		{SquashAll, rpc.AuthSys, nfs.Caller{UID: 9, GID: 7, GIDs: []uint32{3, 4}}, anon},
	} {
		cred := rpc.Credentials{Flavor: c.flavor, UID: c.caller.UID, GID: c.caller.GID}
		cred.SetGIDs(c.caller.GIDs)
		r := new(request)
		if r.squash(&export{Export: &Export{Squash: c.squash, Anon: anon}}, &cred); !reflect.DeepEqual(r.caller, c.want) {
			t.Errorf("%d: %+v becomes %+v, want %+v", c.squash, c.caller, r.caller, c.want)
		}
	}
}

// The caller that squashing makes is the one that the file system sees.
func TestTheFileSystemSeesTheCaller(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { r.export.Squash = SquashRoot })
	r.mem.Put("tmp/x", nil)
	behind := nfstest.User{T: t, FS: r.mem}
	expect(t, "chmod", behind.Chmod(r.mem.Find("tmp"), 0o777).Status, nfs.OK)
	u := r.user()
	tmp := u.Lookup(r.root(), "tmp").Object
	nobody := u
	nobody.FS = &remote{u.FS.(*remote).c, rpc.AuthNone}
	for name, c := range map[string]struct {
		as       nfstest.User
		uid, gid uint32
	}{"root": {u, 65534, 65533}, "user": {u.As(1000, 100), 1000, 100}, "nobody": {nobody, 65534, 65533}} {
		if a := c.as.Create(tmp, name, 0o600); a.Status != nfs.OK || a.Attr.Value.UID != c.uid || a.Attr.Value.GID != c.gid {
			t.Errorf("%s: %+v", name, a)
		}
	}
	expect(t, "create by root where only root may", u.Create(r.root(), "x", 0o600).Status, nfs.ErrAcces)
}

// ask calls a procedure with its sample arguments.
func ask(u nfstest.User, p nfs.Procedure, dir, f nfs.Handle) nfs.Status {
	u.Helper()
	_, r := nfs.NewMessages(p)
	u.Do(p, nfstest.Sample(p, dir, f), r)
	return *nfs.StatusOf(r)
}

// fill makes what samples refer to, and returns its handles.
func (r *rig) fill() (dir, f nfs.Handle) {
	r.t.Helper()
	r.mem.Put("f", []byte("data"))
	r.mem.Put("d/x", nil)
	behind := nfstest.User{T: r.t, FS: r.mem}
	expect(r.t, "remove", behind.Remove(r.mem.Find("d"), "x").Status, nfs.OK)
	dir = r.root()
	return dir, r.seal(r.mem.Find("f"))
}

// seal makes a client's handle.
func (r *rig) seal(h nfs.Handle) nfs.Handle {
	r.t.Helper()
	q := request{s: r.server, export: &export{Export: r.export}}
	sealed, _, err := q.wrap(context.Background(), nil, h)
	if err != nil {
		r.t.Fatal(err)
	}
	return sealed
}

func procedures() (list []nfs.Procedure) {
	for p := nfs.ProcGetAttr; p < nfs.Procedures; p++ {
		list = append(list, p)
	}
	return list
}

func TestEveryProcedureIsServed(t *testing.T) {
	for _, p := range procedures() {
		r := newRig(t, nfstest.Options{}, nil)
		dir, f := r.fill()
		want := nfs.OK
		if p == nfs.ProcReadLink {
			want = nfs.ErrInval // of a directory
		}
		expect(t, p.String(), ask(r.user(), p, dir, f), want)
	}
}

func TestAClientThatIsNotAdmittedGetsNothing(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	r.export.Clients = prefixes("127.0.0.1/32")
	if err := r.server.SetExports([]*Export{r.export}); err != nil {
		t.Fatal(err)
	}
	stranger := r.user()
	stranger.FS = r.client("127.0.0.2")
	for _, p := range procedures() {
		before := r.mem.Calls(p)
		expect(t, p.String()+" of a stranger", ask(stranger, p, dir, f), nfs.ErrAcces)
		if r.mem.Calls(p) != before {
			t.Errorf("%v comes to the file system", p)
		}
	}
	expect(t, "a name that is too long, of a stranger", stranger.Lookup(dir, strings.Repeat("n", nfs.MaxName+1)).Status, nfs.ErrAcces)
	expect(t, "GETATTR of a client", r.user().GetAttr(dir).Status, nfs.OK)
}

func TestSecurePortsAreChecked(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { r.export.SecurePorts = true })
	dir := r.root()
	expect(t, "a high port", r.user().GetAttr(dir).Status, nfs.ErrAcces)
}

func TestAReadOnlyExportIsNotChanged(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { r.export.ReadOnly = true })
	dir, f := r.fill()
	u := r.user()
	changing := map[nfs.Procedure]bool{nfs.ProcSetAttr: true, nfs.ProcWrite: true, nfs.ProcCreate: true, nfs.ProcMkdir: true,
		nfs.ProcSymlink: true, nfs.ProcMknod: true, nfs.ProcRemove: true, nfs.ProcRmdir: true, nfs.ProcRename: true, nfs.ProcLink: true}
	for _, p := range procedures() {
		if got := ask(u, p, dir, f); (got == nfs.ErrROFS) != changing[p] {
			t.Errorf("%v: %v", p, got)
		}
	}
	for _, cold := range []bool{false, true} {
		r.files.Cold.Store(cold)
		if a := u.Access(f, 0x3f); a.Access != nfs.AccessRead {
			t.Errorf("access to a file: %#x", a.Access)
		}
		if a := u.Access(dir, 0x3f); a.Access != nfs.AccessRead|nfs.AccessLookup {
			t.Errorf("access to a directory: %#x", a.Access)
		}
	}
}
