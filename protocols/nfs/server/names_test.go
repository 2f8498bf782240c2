package server

import (
	"context"
	"strings"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Names that can't be never come to the file system.
func TestNamesAreChecked(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	u := r.user()
	long := strings.Repeat("n", nfs.MaxName+1)
	makes := func(name string) map[string]nfs.Status {
		return map[string]nfs.Status{"CREATE": u.Create(dir, name, 0o600).Status, "MKDIR": u.Mkdir(dir, name, 0o700).Status,
			"SYMLINK": u.Symlink(dir, name, "to").Status, "MKNOD": u.Mknod(dir, name, nfs.FIFO, nfs.Device{}).Status,
			"LINK": u.Link(f, dir, name).Status}
	}
	others := func(name string) map[string]nfs.Status {
		return map[string]nfs.Status{"REMOVE": u.Remove(dir, name).Status, "RMDIR": u.Rmdir(dir, name).Status,
			"RENAME from": u.Rename(dir, name, dir, "x").Status, "RENAME to": u.Rename(dir, "f", dir, name).Status}
	}
	lookup := func(name string) map[string]nfs.Status {
		return map[string]nfs.Status{"LOOKUP": u.Lookup(dir, name).Status}
	}
	for _, c := range []struct {
		name string
		ask  func(string) map[string]nfs.Status
		want nfs.Status
	}{
		{"", makes, nfs.ErrAcces}, {"", others, nfs.ErrAcces}, {"", lookup, nfs.ErrAcces},
		{"a/b", makes, nfs.ErrInval}, {"a/b", others, nfs.ErrInval}, {"a/b", lookup, nfs.ErrInval},
		{"a\x00b", makes, nfs.ErrInval}, {"a\x00b", others, nfs.ErrInval}, {"a\x00b", lookup, nfs.ErrInval},
		{long, makes, nfs.ErrNameTooLong}, {long, others, nfs.ErrNameTooLong}, {long, lookup, nfs.ErrNameTooLong},
		{".", makes, nfs.ErrExist}, {"..", makes, nfs.ErrExist},
		{".", others, nfs.ErrInval},
	} {
		for p, got := range c.ask(c.name) {
			expect(t, p+" of "+c.name[:min(len(c.name), 9)], got, c.want)
		}
	}
	for p, got := range others("..") {
		want := nfs.ErrInval
		if p == "RMDIR" {
			want = nfs.ErrExist
		}
		expect(t, p+" of ..", got, want)
	}
	expect(t, "a symbolic link to nowhere", u.Symlink(dir, "s", "").Status, nfs.ErrInval)
	expect(t, "a symbolic link with a NUL", u.Symlink(dir, "s", "a\x00b").Status, nfs.ErrInval)
	expect(t, "a symbolic link that is too long", u.Symlink(dir, "s", strings.Repeat("p", nfs.MaxPath+1)).Status, nfs.ErrNameTooLong)
	expect(t, "a name that is too long, with a handle that is none", u.Lookup(nfs.Handle("x"), long).Status, nfs.ErrBadHandle)
	for _, p := range []nfs.Procedure{nfs.ProcCreate, nfs.ProcRemove, nfs.ProcRename, nfs.ProcLookup, nfs.ProcLink, nfs.ProcSymlink} {
		if n := r.mem.Calls(p); n > 0 && p != nfs.ProcRemove || n > 1 {
			t.Errorf("%v comes to the file system", p)
		}
	}
	expect(t, "a long name", u.Create(dir, long[1:], 0o600).Status, nfs.OK)
}

// A path has at most 4095 bytes on Linux.
func TestASymbolicLinkIsAsLongAsAPathCanBe(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	u := r.user()
	long := strings.Repeat("sub/", 1024)[1:]
	made := u.Symlink(r.root(), "link", long)
	expect(t, "SYMLINK", made.Status, nfs.OK)
	if l := u.ReadLink(u.Lookup(r.root(), "link").Object); l.Status != nfs.OK || l.Path != long {
		t.Errorf("READLINK: %v, %d bytes", l.Status, len(l.Path))
	}
}

// Above the root of an export there is nothing, even if the file system goes on there.
func TestAnExportEndsAtItsRoot(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) {
		r.mem.Put("sub/inner/x", nil)
		r.export.Root = func(context.Context) (nfs.Handle, error) { return r.mem.Find("sub"), nil }
	})
	u := r.user()
	for _, cold := range []bool{false, true} {
		r.files.Cold.Store(cold)
		root := r.root()
		inner := u.Lookup(root, "inner").Object
		if up := u.Lookup(inner, ".."); up.Status != nfs.OK || string(up.Object) != string(root) {
			t.Errorf("%+v", up)
		}
		if up := u.Lookup(root, ".."); up.Status != nfs.OK || string(up.Object) != string(root) {
			t.Errorf("above the root: %+v", up)
		}
		for _, e := range u.ReadDirPlus(root, 0, nfs.Verifier{}, 1000, 10_000).Entries {
			if e.Handle.Follows != (e.Name != "..") {
				t.Errorf("%s has handle %x", e.Name, []byte(e.Handle.Value))
			}
		}
		for _, e := range u.ReadDirPlus(inner, 0, nfs.Verifier{}, 1000, 10_000).Entries {
			if !e.Handle.Follows {
				t.Errorf("%s has no handle", e.Name)
			}
		}
	}
}
