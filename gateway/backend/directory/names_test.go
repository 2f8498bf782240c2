package directory_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

func TestNobodyGetsOutByName(t *testing.T) {
	path, u, root := rig(t)
	if r := u.Lookup(root, ".."); r.Status != nfs.OK || !bytes.Equal(r.Object, root) {
		t.Errorf("..: %v, %x", r.Status, r.Object)
	}
	inner := u.Mkdir(u.Mkdir(root, "a", 0o755).Object.Value, "b", 0o755).Object.Value
	expect(t, ".. inside", u.Lookup(inner, "..").Status, nfs.OK)
	outside := folderIn(t, filepath.Dir(path))
	must(t, os.Rename(filepath.Join(path, "a", "b"), filepath.Join(outside, "b")))
	expect(t, "a directory that was moved away", u.GetAttr(inner).Status, nfs.OK)
	expect(t, ".. outside", u.Lookup(inner, "..").Status, nfs.ErrAcces)
	for _, name := range []string{"../" + filepath.Base(outside), "/etc", "a/b", "a\x00b", ""} {
		expect(t, "look-up of "+name, u.Lookup(root, name).Status, nfs.ErrAcces)
		expect(t, "create of "+name, u.Create(root, name, 0o600).Status, nfs.ErrAcces)
		expect(t, "remove of "+name, u.Remove(root, name).Status, nfs.ErrAcces)
		expect(t, "rename to "+name, u.Rename(root, "a", root, name).Status, nfs.ErrAcces)
		expect(t, "link to "+name, u.Link(inner, root, name).Status, nfs.ErrAcces)
	}
	expect(t, "a long name", u.Create(root, strings.Repeat("x", 256), 0o600).Status, nfs.ErrNameTooLong)
	expect(t, "the longest name", u.Create(root, strings.Repeat("x", 255), 0o600).Status, nfs.OK)
}

func TestDotsAreNoNamesOfObjects(t *testing.T) {
	_, u, root := rig(t)
	f := makeFile(t, u, root, "f", 0o644)
	for _, name := range []string{".", ".."} {
		expect(t, "create", u.Create(root, name, 0o600).Status, nfs.ErrExist)
		expect(t, "mkdir", u.Mkdir(root, name, 0o700).Status, nfs.ErrExist)
		expect(t, "link", u.Link(f, root, name).Status, nfs.ErrExist)
		expect(t, "remove", u.Remove(root, name).Status, nfs.ErrInval)
		expect(t, "rmdir", u.Rmdir(root, name).Status, nfs.ErrInval)
		expect(t, "rename", u.Rename(root, name, root, "x").Status, nfs.ErrInval)
		expect(t, "rename", u.Rename(root, "f", root, name).Status, nfs.ErrInval)
	}
	if r := u.Lookup(root, "."); r.Status != nfs.OK || !bytes.Equal(r.Object, root) {
		t.Errorf(".: %v, %x", r.Status, r.Object)
	}
}

func TestSymbolicLinksAreNotFollowed(t *testing.T) {
	path, u, root := rig(t)
	outside := folderIn(t, os.TempDir())
	secret := filepath.Join(outside, "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for name, target := range map[string]string{"file": secret, "dir": outside, "nothing": filepath.Join(outside, "made")} {
		link := u.Symlink(root, name, target).Object.Value
		if r := u.Lookup(root, name); r.Attr.Value.Type != nfs.SymbolicLink || !bytes.Equal(r.Object, link) {
			t.Errorf("%s: %+v", name, r)
		}
		expect(t, "read", u.Read(link, 0, 10).Status, nfs.ErrInval)
		expect(t, "write", u.Write(link, 0, nfs.FileSync, []byte("x")).Status, nfs.ErrInval)
		expect(t, "cut", u.Truncate(link, 0).Status, nfs.ErrInval)
		expect(t, "look-up in it", u.Lookup(link, "secret").Status, nfs.ErrNotDir)
		expect(t, "list", u.ReadDir(link, 0, nfs.Verifier{}, 4096).Status, nfs.ErrNotDir)
		where := nfs.CreateArgs{Where: nfs.DirOp{Dir: root, Name: name}, Attr: nfs.SetAttr{Size: nfs.Some[uint64](0)}}
		expect(t, "create", u.CreateAs(where).Status, nfs.ErrExist)
		expect(t, "give away", u.SetAttr(link, nfs.SetAttr{UID: nfs.Some[uint32](5)}).Status, nfs.OK)
		expect(t, "touch", u.SetAttr(link, nfs.SetAttr{Mtime: nfs.SetTime{How: nfs.SetToClientTime}}).Status, nfs.OK)
		_ = u.Chmod(link, 0o777) // some file systems can
		expect(t, "link", u.Link(link, root, name+"2").Status, nfs.OK)
		if r := u.ReadLink(find(t, u, root, name+"2")); r.Path != target {
			t.Errorf("the link's second name leads to %q", r.Path)
		}
	}
	var st unix.Stat_t
	must(t, unix.Stat(secret, &st))
	if content, err := os.ReadFile(secret); err != nil || string(content) != "secret" || st.Uid != 0 || st.Mode&0o777 != 0o600 {
		t.Errorf("%q, %v, %+v", content, err, st)
	}
	if _, err := os.Stat(filepath.Join(outside, "made")); err == nil {
		t.Error("a file is made outside")
	}
	_ = path
}

func TestMountPointsAreNotCrossed(t *testing.T) {
	path, u, root := rig(t)
	for name, mount := range map[string]func(at string) error{
		"other": func(at string) error { return unix.Mount("none", at, "tmpfs", 0, "size=64k") },
		"same":  func(at string) error { return unix.Mount(os.TempDir(), at, "", unix.MS_BIND, "") },
	} {
		at := filepath.Join(path, name)
		before := u.Mkdir(root, name, 0o755)
		if err := mount(at); err != nil {
			t.Skip("nothing can be mounted here: ", err)
		}
		t.Cleanup(func() { must(t, unix.Unmount(at, unix.MNT_DETACH)) })
		expect(t, "look-up", u.Lookup(root, name).Status, nfs.ErrAcces)
		expect(t, "rmdir", u.Rmdir(root, name).Status, nfs.ErrAcces)
		expect(t, "rename", u.Rename(root, name, root, "x").Status, nfs.ErrAcces)
		expect(t, "create", u.Create(root, name, 0o600).Status, nfs.ErrExist)
		expect(t, "what is below", u.GetAttr(before.Object.Value).Status, nfs.OK)
		r := u.ReadDirPlus(root, 0, nfs.Verifier{}, 8192, 8192)
		expect(t, "list", r.Status, nfs.OK)
		for _, e := range r.Entries {
			if e.Name == name && (e.Handle.Follows || e.Attr.Follows || e.FileID != before.Attr.Value.FileID) {
				t.Errorf("%+v", e)
			}
		}
	}
}

// A subvolume of btrfs is another file system in all but the mount: its files have the numbers of others here.
func TestSubvolumesAreNotServed(t *testing.T) {
	on := newDisk(t, filepath.Join(folderIn(t, "/dev/shm"), "image"), 128<<20, withSubvolumes)
	if out, err := exec.Command("btrfs", "subvolume", "create", on.export+"/sub").CombinedOutput(); err != nil {
		t.Fatalf("make a subvolume: %v: %s", err, out)
	}
	must(t, os.WriteFile(on.export+"/sub/f", nil, 0o644))
	d := open(t, on.export)
	u := nfstest.User{T: t, FS: d}
	expect(t, "look it up", u.Lookup(d.Root(), "sub").Status, nfs.ErrAcces)
	for _, e := range u.ReadDirPlus(d.Root(), 0, nfs.Verifier{}, 4096, 4096).Entries {
		if e.Name == "sub" && (e.Handle.Follows || e.Attr.Follows) {
			t.Errorf("a listing has %+v", e)
		}
	}
	kernel, _, err := unix.NameToHandleAt(unix.AT_FDCWD, on.export+"/sub/f", 0)
	must(t, err)
	h := slices.Concat(d.Root()[:10], kernel.Bytes())
	h[1] = byte(kernel.Type())
	expect(t, "by its handle", u.GetAttr(h).Status, nfs.ErrStale)
}

func TestWhatLosesItsLastNameIsStale(t *testing.T) {
	path, u, root := rig(t)
	for what, lose := range map[string]func() nfs.Status{
		"removed":      func() nfs.Status { return u.Remove(root, "f").Status },
		"replaced":     func() nfs.Status { makeFile(t, u, root, "g", 0o600); return u.Rename(root, "g", root, "f").Status },
		"removed here": func() nfs.Status { must(t, os.Remove(filepath.Join(path, "f"))); return nfs.OK },
	} {
		f := makeFile(t, u, root, "f", 0o644)
		expect(t, "write", u.Write(f, 0, nfs.Unstable, []byte("data")).Status, nfs.OK)
		expect(t, "read", u.Read(f, 0, 4).Status, nfs.OK)
		expect(t, what, lose(), nfs.OK)
		expect(t, what+": getattr", u.GetAttr(f).Status, nfs.ErrStale)
		expect(t, what+": read", u.Read(f, 0, 4).Status, nfs.ErrStale)
		expect(t, what+": write", u.Write(f, 0, nfs.Unstable, []byte("data")).Status, nfs.ErrStale)
		expect(t, what+": commit", u.Commit(f).Status, nfs.ErrStale)
		expect(t, what+": cut", u.Truncate(f, 0).Status, nfs.ErrStale)
		expect(t, what+": link", u.Link(f, root, "again").Status, nfs.ErrStale)
		if kept := deleted(t); len(kept) > 0 {
			t.Errorf("%s: %q is kept open", what, kept)
		}
		u.Remove(root, "f")
	}
}

func TestARenameToTheSameFileDoesNothing(t *testing.T) {
	_, u, root := rig(t)
	expect(t, "link", u.Link(makeFile(t, u, root, "f", 0o644), root, "g").Status, nfs.OK)
	before := u.GetAttr(root).Attr
	for _, as := range []string{"f", "g"} {
		r := u.Rename(root, "f", root, as)
		if expect(t, "rename", r.Status, nfs.OK); r.ToDir.After.Value != before {
			t.Errorf("the directory was %+v, and is %+v", before, r.ToDir.After.Value)
		}
	}
	find(t, u, root, "f")
	find(t, u, root, "g")
}

// deleted are the files that the process has open and that have no name.
func deleted(t *testing.T) (names []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && strings.Contains(name, "forebay-directory-") && strings.HasSuffix(name, "(deleted)") {
			names = append(names, name)
		}
	}
	return names
}

func TestAFileWithANameLeftIsNotStale(t *testing.T) {
	_, u, root := rig(t)
	f := makeFile(t, u, root, "f", 0o644)
	expect(t, "link", u.Link(f, root, "g").Status, nfs.OK)
	expect(t, "write", u.Write(f, 0, nfs.Unstable, []byte("data")).Status, nfs.OK)
	expect(t, "remove", u.Remove(root, "f").Status, nfs.OK)
	if r := u.Read(find(t, u, root, "g"), 0, 10); string(r.Data) != "data" {
		t.Errorf("%+v", r)
	}
	expect(t, "write", u.Write(f, 0, nfs.Unstable, []byte("DATA")).Status, nfs.OK)
	if a := u.GetAttr(f).Attr; a.Nlink != 1 {
		t.Errorf("%+v", a)
	}
}
