package server

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/server/servertest"
)

var local = netip.MustParseAddrPort("127.0.0.1:700")

func TestMountGivesDirectoriesOfExports(t *testing.T) {
	other := nfstest.New(nfstest.Options{FSID: 2})
	inner := exportOf(8, "/export/inner", other, &servertest.Files{FileSystem: other})
	r := newRig(t, nfstest.Options{}, func(_ *rig, o *Options) { o.Exports = append(o.Exports, inner) })
	r.mem.Put("a/b/file", nil)
	r.mem.Put("inner/hidden", nil)
	r.mem.Put("s/x", nil) // what is left of /exports
	behind := nfstest.User{T: t, FS: r.mem}
	expect(t, "symlink", behind.Symlink(r.mem.Root(), "link", "a").Status, nfs.OK)
	expect(t, "chmod", behind.Chmod(r.mem.Find("a"), 0o700).Status, nfs.OK)
	u := r.user()
	for _, c := range []struct {
		path string
		fsid uint64
		name string // in it
		want error
	}{
		{"/export", 1, "a", nil},
		{"/export/a", 1, "b", nil},
		{"/export/a/b", 1, "file", nil},
		{"/export/inner", 2, "", nil},
		{"/export/inner/hidden", 0, "", mount.ErrNoEnt},
		{"/export/nothing", 0, "", mount.ErrNoEnt},
		{"/export/a/b/file", 0, "", mount.ErrNotDir},
		{"/export/link", 0, "", mount.ErrNotDir},
		{"/exports", 0, "", mount.ErrNoEnt},
		{"/", 0, "", mount.ErrNoEnt},
		{"export", 0, "", mount.ErrNoEnt},
		{"/export/" + strings.Repeat("n", nfs.MaxName+1), 0, "", mount.ErrNameTooLong},
	} {
		before := r.mem.Calls(nfs.ProcLookup)
		h, flavors, err := r.server.Mount(t.Context(), local, c.path)
		if !errors.Is(err, c.want) || err == nil && !reflect.DeepEqual(flavors, []rpc.Flavor{rpc.AuthSys, rpc.AuthNone}) {
			t.Errorf("%s: %v, flavors %v", c.path, err, flavors)
		}
		if errors.Is(err, mount.ErrNameTooLong) && r.mem.Calls(nfs.ProcLookup) != before {
			t.Error("a name that is too long comes to the file system")
		}
		if err != nil {
			continue
		}
		if a := u.GetAttr(h); a.Status != nfs.OK || a.Attr.FSID != c.fsid {
			t.Errorf("%s: %+v", c.path, a)
		}
		if c.name != "" {
			expect(t, c.path+"/"+c.name, u.Lookup(h, c.name).Status, nfs.OK)
		}
	}
}

func TestMountOfAnExportOfEverything(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { r.export.Path = "/" })
	r.mem.Put("a/b/file", nil)
	for p, want := range map[string]string{"/": "", "/a": "a", "/a/b": "a/b"} {
		h, _, err := r.server.Mount(t.Context(), local, p)
		if err != nil || string(h) != string(r.seal(r.mem.Find(want))) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestMountAsksWhoCalls(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) {
		r.export.Clients, r.export.SecurePorts = prefixes("127.0.0.0/8"), true
	})
	for client, want := range map[string]error{"127.0.0.1:700": nil, "127.0.0.1:7000": mount.ErrAcces, "10.0.0.1:700": mount.ErrAcces} {
		if _, _, err := r.server.Mount(t.Context(), netip.MustParseAddrPort(client), "/export"); !errors.Is(err, want) {
			t.Errorf("%s: %v", client, err)
		}
	}
}

// Where all are squashed, nobody gets further than the one that they become.
func TestMountWalksAsTheOneWhoAllBecome(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { r.export.Squash = SquashAll })
	r.mem.Put("a/b/file", nil)
	expect(t, "chmod", nfstest.User{T: t, FS: r.mem}.Chmod(r.mem.Find("a"), 0o700).Status, nfs.OK)
	if _, _, err := r.server.Mount(t.Context(), local, "/export/a/b"); !errors.Is(err, mount.ErrAcces) {
		t.Error(err)
	}
}

func TestMountOfAnExportThatIsNotReady(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) {
		r.export.Root = func(context.Context) (nfs.Handle, error) { return nil, nfs.ErrAway }
	})
	if _, _, err := r.server.Mount(t.Context(), local, "/export"); !errors.Is(err, mount.ErrServerFault) {
		t.Error(err)
	}
}

func TestExportsAreListedByPath(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(_ *rig, o *Options) {
		o.Exports = append(o.Exports, &Export{ID: 1, Path: "/a/long/path", Clients: prefixes("::ffff:10.0.0.0/104", "2001:db8::/32")})
	})
	want := []mount.Export{{Dir: "/a/long/path", Groups: []string{"10.0.0.0/8", "2001:db8::/32"}}, {Dir: "/export"}}
	if got := r.server.Exports(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// What MOUNT hands out over the wire is what NFS takes.
func TestMountOverTheWire(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	c := rpc.NewClient(rpc.ClientOptions{Address: listen(t, mount.NewServer(r.server)), Program: mount.Program, Version: mount.Version})
	defer c.Close()
	reply, err := c.Call(t.Context(), &rpc.Request{Procedure: mount.ProcMnt, Args: mount.Path("/export/")})
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Release()
	var m mount.MntResult
	if err := reply.Decode(&m); err != nil || m.Status != mount.OK {
		t.Fatal(err, m.Status)
	}
	expect(t, "getattr", r.user().GetAttr(m.Handle).Status, nfs.OK)
}

func TestExportsThatClashAreRefused(t *testing.T) {
	for name, list := range map[string][]*Export{
		"an id twice":         {{ID: 1, Path: "/a"}, {ID: 1, Path: "/b"}},
		"a path twice":        {{ID: 1, Path: "/a"}, {ID: 2, Path: "/a"}},
		"a relative path":     {{ID: 1, Path: "a"}},
		"a path not clean":    {{ID: 1, Path: "/a/"}},
		"a path with dots in": {{ID: 1, Path: "/a/../b"}},
		"no path":             {{ID: 1}},
	} {
		if _, err := New(Options{Exports: list}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
