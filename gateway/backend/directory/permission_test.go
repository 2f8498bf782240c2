package directory_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// shared is a folder where everybody may make files, with two users of it, the second of whom is in a group of the first's.
func shared(t *testing.T) (path string, root nfs.Handle, u, alice, bob nfstest.User) {
	t.Helper()
	path, u, root = rig(t)
	must(t, os.Chmod(path, 0o777))
	return path, root, u, u.As(1000, 100), u.As(1001, 200, 7, 100)
}

func TestOwnersReadAndWriteWhateverTheModeSays(t *testing.T) {
	_, root, u, alice, bob := shared(t)
	f := makeFile(t, alice, root, "f", 0)
	expect(t, "the owner's write", alice.Write(f, 0, nfs.FileSync, []byte("data")).Status, nfs.OK)
	expect(t, "the owner's read", alice.Read(f, 0, 4).Status, nfs.OK)
	expect(t, "the owner's cut", alice.Truncate(f, 1).Status, nfs.OK)
	expect(t, "the owner's commit", alice.Commit(f).Status, nfs.OK)
	expect(t, "root's read", u.Read(f, 0, 4).Status, nfs.OK)
	expect(t, "another's read", bob.Read(f, 0, 4).Status, nfs.ErrAcces)
	expect(t, "another's write", bob.Write(f, 0, nfs.FileSync, []byte("data")).Status, nfs.ErrAcces)
	expect(t, "another's cut", bob.Truncate(f, 0).Status, nfs.ErrAcces)
	expect(t, "another's commit", bob.Commit(f).Status, nfs.ErrAcces)
	if a := alice.Access(f, nfs.AccessRead|nfs.AccessModify); a.Access != 0 {
		t.Errorf("ACCESS tells the owner %#x", a.Access)
	}
	if a := u.GetAttr(f).Attr; a.Size != 1 || a.UID != 1000 || a.GID != 100 {
		t.Errorf("%+v", a)
	}
}

func TestGroupsCount(t *testing.T) {
	_, root, _, alice, bob := shared(t)
	f := makeFile(t, alice, root, "f", 0o620)
	stranger := alice.As(1002, 200, 7)
	expect(t, "a member's write", bob.Write(f, 0, nfs.FileSync, []byte("x")).Status, nfs.OK)
	expect(t, "a member's read", bob.Read(f, 0, 1).Status, nfs.ErrAcces)
	expect(t, "a stranger's write", stranger.Write(f, 0, nfs.FileSync, []byte("x")).Status, nfs.ErrAcces)
	expect(t, "what may be executed is read", alice.Chmod(f, 0o610).Status, nfs.OK)
	expect(t, "a member's read", bob.Read(f, 0, 1).Status, nfs.OK)
	expect(t, "a stranger's read", stranger.Read(f, 0, 1).Status, nfs.ErrAcces)
	for who, want := range map[*nfstest.User]nfs.Access{&alice: nfs.AccessRead | nfs.AccessModify | nfs.AccessExtend, &bob: nfs.AccessExecute, &stranger: 0} {
		if r := who.Access(f, 0x3f); r.Access != want {
			t.Errorf("%d: %#x, want %#x", who.Caller.UID, r.Access, want)
		}
	}
	expect(t, "to a group of one's own", bob.SetAttr(makeFile(t, bob, root, "g", 0o600), nfs.SetAttr{GID: nfs.Some[uint32](7)}).Status, nfs.OK)
	expect(t, "to another's group", bob.SetAttr(find(t, bob, root, "g"), nfs.SetAttr{GID: nfs.Some[uint32](8)}).Status, nfs.ErrPerm)
	expect(t, "to another", bob.SetAttr(find(t, bob, root, "g"), nfs.SetAttr{UID: nfs.Some[uint32](1000)}).Status, nfs.ErrPerm)
}

func TestDirectoriesAreGuarded(t *testing.T) {
	_, root, u, alice, bob := shared(t)
	dir := alice.Mkdir(root, "dir", 0o750).Object.Value
	makeFile(t, alice, dir, "f", 0o666)
	g := makeFile(t, bob, root, "g", 0o644)
	stranger := u.As(1002, 200)
	expect(t, "a member's look-up", bob.Lookup(dir, "f").Status, nfs.OK)
	expect(t, "a member's listing", bob.ReadDir(dir, 0, nfs.Verifier{}, 4096).Status, nfs.OK)
	expect(t, "a member's create", bob.Create(dir, "x", 0o600).Status, nfs.ErrAcces)
	expect(t, "a member's remove", bob.Remove(dir, "f").Status, nfs.ErrAcces)
	expect(t, "a member's rename", bob.Rename(dir, "f", root, "f").Status, nfs.ErrAcces)
	expect(t, "a member's link", bob.Link(g, dir, "x").Status, nfs.ErrAcces)
	expect(t, "a stranger's look-up", stranger.Lookup(dir, "f").Status, nfs.ErrAcces)
	expect(t, "a stranger's look-up of ..", stranger.Lookup(dir, "..").Status, nfs.ErrAcces)
	expect(t, "a stranger's listing", stranger.ReadDir(dir, 0, nfs.Verifier{}, 4096).Status, nfs.ErrAcces)
	expect(t, "a stranger's listing", stranger.ReadDirPlus(dir, 0, nfs.Verifier{}, 4096, 4096).Status, nfs.ErrAcces)
	expect(t, "chmod", alice.Chmod(dir, 0o744).Status, nfs.OK)
	r := stranger.ReadDirPlus(dir, 0, nfs.Verifier{}, 4096, 4096)
	expect(t, "a listing without look-up", r.Status, nfs.OK)
	for _, e := range r.Entries {
		if e.Handle.Follows || e.Attr.Follows {
			t.Errorf("%+v tells more than a look-up", e)
		}
	}
	expect(t, "chmod", u.Chmod(root, 0o1777).Status, nfs.OK)
	expect(t, "remove from a sticky directory", alice.Remove(root, "g").Status, nfs.ErrAcces)
	expect(t, "remove of one's own", bob.Remove(root, "g").Status, nfs.OK)
}

func TestDevicesAreRoots(t *testing.T) {
	path, root, u, alice, _ := shared(t)
	zero := nfs.Device{Major: 1, Minor: 5}
	expect(t, "a user's device", alice.Mknod(root, "zero", nfs.CharacterDevice, zero).Status, nfs.ErrPerm)
	expect(t, "a user's FIFO", alice.Mknod(root, "fifo", nfs.FIFO, nfs.Device{}).Status, nfs.OK)
	expect(t, "a user's socket", alice.Mknod(root, "socket", nfs.Socket, nfs.Device{}).Status, nfs.OK)
	r := u.Mknod(root, "zero", nfs.CharacterDevice, zero)
	if expect(t, "root's device", r.Status, nfs.OK); r.Attr.Value.Type != nfs.CharacterDevice || r.Attr.Value.Rdev != zero {
		t.Errorf("%+v", r.Attr.Value)
	}
	expect(t, "no device", u.Mknod(root, "no", nfs.BlockDevice, nfs.Device{Major: 1 << 20}).Status, nfs.ErrInval)
	for _, name := range []string{"zero", "fifo", "socket"} {
		h := find(t, u, root, name)
		expect(t, "read "+name, u.Read(h, 0, 1).Status, nfs.ErrInval)
		expect(t, "cut "+name, u.Truncate(h, 0).Status, nfs.ErrInval)
		expect(t, "chmod "+name, u.Chmod(h, 0o640).Status, nfs.OK)
	}
	if _, err := os.Stat(filepath.Join(path, "no")); err == nil {
		t.Error("it is made")
	}
}

// What a user writes to a file loses the right to make others that user.
func TestWritesClearSetuid(t *testing.T) {
	_, root, u, alice, bob := shared(t)
	f := makeFile(t, alice, root, "f", 0o6777)
	expect(t, "root's write", u.Write(f, 0, nfs.FileSync, []byte("x")).Status, nfs.OK)
	if mode := u.GetAttr(f).Attr.Mode; mode != 0o6777 {
		t.Errorf("mode %o after root's write", mode)
	}
	expect(t, "write", bob.Write(f, 0, nfs.FileSync, []byte("x")).Status, nfs.OK)
	if mode := u.GetAttr(f).Attr.Mode; mode != 0o777 {
		t.Errorf("mode %o after a write", mode)
	}
	expect(t, "chmod", alice.Chmod(f, 0o4777).Status, nfs.OK)
	expect(t, "cut", bob.Truncate(f, 0).Status, nfs.OK)
	if mode := u.GetAttr(f).Attr.Mode; mode != 0o777 {
		t.Errorf("mode %o after a cut", mode)
	}
}

func TestTimesTakeWriteOrOwnership(t *testing.T) {
	_, root, u, alice, bob := shared(t)
	f := makeFile(t, alice, root, "f", 0o660)
	now, then := nfs.SetTime{How: nfs.SetToServerTime}, nfs.SetTime{How: nfs.SetToClientTime, Time: nfs.Time{Seconds: 1 << 30, Nanoseconds: 5}}
	stranger := u.As(1002, 200)
	for what, c := range map[string]struct {
		who  nfstest.User
		attr nfs.SetAttr
		want nfs.Status
	}{
		"now, by a writer":           {bob, nfs.SetAttr{Atime: now, Mtime: now}, nfs.OK},
		"one of them, by a writer":   {bob, nfs.SetAttr{Mtime: now}, nfs.OK},
		"then, by a writer":          {bob, nfs.SetAttr{Mtime: then}, nfs.ErrPerm},
		"now and then, by a writer":  {bob, nfs.SetAttr{Atime: now, Mtime: then}, nfs.ErrPerm},
		"now, by a stranger":         {stranger, nfs.SetAttr{Atime: now, Mtime: now}, nfs.ErrAcces},
		"one of them, by a stranger": {stranger, nfs.SetAttr{Mtime: now}, nfs.ErrPerm},
		"now and then, by the owner": {alice, nfs.SetAttr{Atime: now, Mtime: then}, nfs.OK},
		"nothing, by a stranger":     {stranger, nfs.SetAttr{}, nfs.OK},
		"then, by root":              {u, nfs.SetAttr{Atime: then}, nfs.OK},
	} {
		expect(t, what, c.who.SetAttr(f, c.attr).Status, c.want)
	}
	expect(t, "then, by the owner", alice.SetAttr(f, nfs.SetAttr{Atime: then, Mtime: then}).Status, nfs.OK)
	if a := u.GetAttr(f).Attr; a.Atime != then.Time || a.Mtime != then.Time {
		t.Errorf("%+v", a)
	}
}

// Nanoseconds that are more than a second's are no time, and two of them have a meaning of their own to the kernel.
func TestATimeThatIsNoneIsRefused(t *testing.T) {
	_, root, u, alice, _ := shared(t)
	f := makeFile(t, alice, root, "f", 0o660)
	before := u.GetAttr(f).Attr
	for _, n := range []uint32{1e9, unix.UTIME_NOW, unix.UTIME_OMIT, 1<<32 - 1} {
		odd := nfs.SetTime{How: nfs.SetToClientTime, Time: nfs.Time{Seconds: 9, Nanoseconds: n}}
		expect(t, "an atime", alice.SetAttr(f, nfs.SetAttr{Atime: odd}).Status, nfs.ErrInval)
		expect(t, "an mtime", alice.SetAttr(f, nfs.SetAttr{Mtime: odd}).Status, nfs.ErrInval)
	}
	if a := u.GetAttr(f).Attr; a != before {
		t.Errorf("%+v, was %+v", a, before)
	}
}

// The umask of the process isn't the client's.
func TestModesAreTheClients(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	path, root, _, alice, _ := shared(t)
	program := nfs.CreateArgs{Where: nfs.DirOp{Dir: root, Name: "g"}, Attr: nfs.SetAttr{Mode: nfs.Some[uint32](0o4755)}}
	for _, made := range []struct {
		mode uint32
		r    nfs.CreateResult
	}{{0o664, alice.Create(root, "f", 0o664)}, {0o1775, alice.Mkdir(root, "d", 0o1775)}, {0o4755, alice.CreateAs(program)}} {
		if a := made.r.Attr.Value; made.r.Status != nfs.OK || a.Mode != made.mode || a.UID != 1000 || a.GID != 100 {
			t.Errorf("%v, %+v, want mode %o", made.r.Status, a, made.mode)
		}
	}
	// version 2, with entries of user::rwx, group::r-x, other::---
	acl := []byte{2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255, 0x20, 0, 0, 0, 255, 255, 255, 255}
	must(t, unix.Setxattr(filepath.Join(path, "d"), "system.posix_acl_default", acl, 0))
	if r := alice.Create(find(t, alice, root, "d"), "f", 0o666); r.Status != nfs.OK || r.Attr.Value.Mode != 0o640 {
		t.Errorf("under a default ACL: %v, %o", r.Status, r.Attr.Value.Mode)
	}
}

func TestNewObjectsHaveTheirAttributesOrAreNotMade(t *testing.T) {
	_, root, u, alice, _ := shared(t)
	attr := nfs.SetAttr{Mode: nfs.Some[uint32](0o640), UID: nfs.Some[uint32](5), GID: nfs.Some[uint32](6), Mtime: nfs.SetTime{How: nfs.SetToClientTime, Time: nfs.Time{Seconds: 9}}}
	for _, who := range []nfstest.User{alice, u} {
		var r [4]nfs.CreateResult
		where := func(name string) nfs.DirOp { return nfs.DirOp{Dir: root, Name: name} }
		who.Do(nfs.ProcCreate, &nfs.CreateArgs{Where: where("f"), Mode: nfs.Guarded, Attr: attr}, &r[0])
		who.Do(nfs.ProcMkdir, &nfs.MkdirArgs{Where: where("d"), Attr: attr}, &r[1])
		who.Do(nfs.ProcSymlink, &nfs.SymlinkArgs{Where: where("s"), Attr: attr, Path: "x"}, &r[2])
		who.Do(nfs.ProcMknod, &nfs.MknodArgs{Where: where("q"), Type: nfs.FIFO, Attr: attr}, &r[3])
		for i, r := range r {
			if who.Caller.UID != 0 {
				expect(t, "given away", r.Status, nfs.ErrPerm)
				continue
			}
			if a := r.Attr.Value; r.Status != nfs.OK || a.UID != 5 || a.GID != 6 || a.Mtime.Seconds != 9 || i != 2 && a.Mode != 0o640 {
				t.Errorf("%d: %v, %+v", i, r.Status, a)
			}
		}
	}
}

func TestNewObjectsInherit(t *testing.T) {
	_, root, u, alice, bob := shared(t)
	dir := u.Mkdir(root, "d", 0o777).Object.Value
	expect(t, "give to a group", u.SetAttr(dir, nfs.SetAttr{GID: nfs.Some[uint32](300)}).Status, nfs.OK)
	expect(t, "chmod", u.Chmod(dir, 0o2777).Status, nfs.OK)
	if a := alice.Mkdir(dir, "d", 0o755).Attr.Value; a.GID != 300 || a.Mode != 0o2755 {
		t.Errorf("%+v", a)
	}
	if a := bob.Create(dir, "f", 0o644).Attr.Value; a.GID != 300 || a.Mode != 0o644 || a.UID != 1001 {
		t.Errorf("%+v", a)
	}
	if a := u.As(0, 44).Create(root, "f", 0o644).Attr.Value; a.GID != 44 || a.UID != 0 {
		t.Errorf("root with another group: %+v", a)
	}
}

// To the kernel, the id that nobody has means to leave the owner as it is.
func TestNothingIsGivenToNobody(t *testing.T) {
	_, u, root := rig(t)
	f := makeFile(t, u, root, "f", 0o644)
	nobody := nfs.Some[uint32](1<<32 - 1)
	for name, a := range map[string]nfs.SetAttr{"user": {UID: nobody}, "group": {GID: nobody}, "both": {UID: nobody, GID: nobody}} {
		expect(t, name, u.SetAttr(f, a).Status, nfs.ErrInval)
	}
}
