package nfstest

import (
	"bytes"

	"forebay/protocols/nfs"
)

func namesLead(u User, dir nfs.Handle) {
	sub := makeDir(u, dir, "sub")
	f := makeFile(u, sub, "f")
	r := u.Lookup(sub, "f")
	if expect(u, "lookup", r.Status, nfs.OK); !bytes.Equal(r.Object, f) || !r.Attr.Follows || r.Attr.Value.Type != nfs.Regular {
		u.Errorf("%+v, want %x", r, f)
	}
	if r := u.Lookup(sub, ".."); r.Status != nfs.OK || attrOf(u, r.Object).FileID != attrOf(u, dir).FileID {
		u.Errorf("..: %+v", r)
	}
	expect(u, "lookup of nothing", u.Lookup(dir, "nothing").Status, nfs.ErrNoEnt)
	expect(u, "lookup in a file", u.Lookup(f, "x").Status, nfs.ErrNotDir)
	s := u.Symlink(dir, "s", "sub/../somewhere")
	expect(u, "symlink", s.Status, nfs.OK)
	l := u.ReadLink(handleOf(u, dir, "s", &s))
	if expect(u, "readlink", l.Status, nfs.OK); l.Path != "sub/../somewhere" {
		u.Errorf("%q", l.Path)
	}
	expect(u, "readlink of a file", u.ReadLink(f).Status, nfs.ErrInval)
	q := u.Mknod(dir, "fifo", nfs.FIFO, nfs.Device{})
	expect(u, "mknod", q.Status, nfs.OK)
	if a := attrOf(u, handleOf(u, dir, "fifo", &q)); a.Type != nfs.FIFO {
		u.Errorf("%+v", a)
	}
	expect(u, "mknod of a file", u.Mknod(dir, "x", nfs.Regular, nfs.Device{}).Status, nfs.ErrBadType)
}

func takenNames(u User, dir nfs.Handle) {
	makeFile(u, dir, "x")
	expect(u, "create", u.Create(dir, "x", 0o600).Status, nfs.ErrExist)
	expect(u, "mkdir", u.Mkdir(dir, "x", 0o700).Status, nfs.ErrExist)
	expect(u, "symlink", u.Symlink(dir, "x", "y").Status, nfs.ErrExist)
	expect(u, "mknod", u.Mknod(dir, "x", nfs.FIFO, nfs.Device{}).Status, nfs.ErrExist)
	expect(u, "link", u.Link(makeFile(u, dir, "y"), dir, "x").Status, nfs.ErrExist)
}

func exclusiveCreate(u User, dir nfs.Handle) {
	a := nfs.CreateArgs{Where: nfs.DirOp{Dir: dir, Name: "x"}, Mode: nfs.Exclusive, Verifier: nfs.Verifier{1, 2, 3}}
	first, again := u.CreateAs(a), u.CreateAs(a)
	expect(u, "create", first.Status, nfs.OK)
	expect(u, "once more", again.Status, nfs.OK)
	if !bytes.Equal(handleOf(u, dir, "x", &first), handleOf(u, dir, "x", &again)) {
		u.Error("they are two files")
	}
	a.Verifier[7] = 9
	expect(u, "another's create", u.CreateAs(a).Status, nfs.ErrExist)
}

func removedIsGone(u User, dir nfs.Handle) {
	f, sub := makeFile(u, dir, "f"), makeDir(u, dir, "sub")
	makeFile(u, sub, "inside")
	expect(u, "remove", u.Remove(dir, "f").Status, nfs.OK)
	expect(u, "remove again", u.Remove(dir, "f").Status, nfs.ErrNoEnt)
	expect(u, "getattr", u.GetAttr(f).Status, nfs.ErrStale)
	expect(u, "rmdir of a full one", u.Rmdir(dir, "sub").Status, nfs.ErrNotEmpty)
	expect(u, "remove", u.Remove(sub, "inside").Status, nfs.OK)
	expect(u, "rmdir", u.Rmdir(dir, "sub").Status, nfs.OK)
	expect(u, "getattr", u.GetAttr(sub).Status, nfs.ErrStale)
	expect(u, "rmdir of a file", func() nfs.Status { makeFile(u, dir, "g"); return u.Rmdir(dir, "g").Status }(), nfs.ErrNotDir)
}

func renames(u User, dir nfs.Handle) {
	from, to := makeDir(u, dir, "from"), makeDir(u, dir, "to")
	f, old := makeFile(u, from, "f"), makeFile(u, to, "g")
	r := u.Rename(from, "f", to, "g")
	expect(u, "rename", r.Status, nfs.OK)
	expect(u, "the old name", u.Lookup(from, "f").Status, nfs.ErrNoEnt)
	if l := u.Lookup(to, "g"); l.Status != nfs.OK || attrOf(u, l.Object).FileID != attrOf(u, f).FileID {
		u.Errorf("the new name: %+v", l)
	}
	expect(u, "what was replaced", u.GetAttr(old).Status, nfs.ErrStale)
	expect(u, "rename of nothing", u.Rename(from, "f", to, "h").Status, nfs.ErrNoEnt)
	makeDir(u, to, "full")
	makeFile(u, makeDir(u, from, "full"), "x")
	expect(u, "rename over a directory that is not empty", u.Rename(to, "full", from, "full").Status, nfs.ErrNotEmpty)
	expect(u, "rename of a directory into itself", u.Rename(dir, "to", to, "inside").Status, nfs.ErrInval)
	before, left := attrOf(u, dir).Nlink, attrOf(u, from).Nlink
	expect(u, "rename of a directory", u.Rename(from, "full", dir, "moved").Status, nfs.OK)
	if now := attrOf(u, dir).Nlink; now != before+1 {
		u.Errorf("%d links became %d", before, now)
	}
	if now := attrOf(u, from).Nlink; now != left-1 {
		u.Errorf("%d links became %d where it was", left, now)
	}
}

func links(u User, dir nfs.Handle) {
	f := makeFile(u, dir, "f")
	r := u.Link(f, dir, "g")
	if expect(u, "link", r.Status, nfs.OK); attrOf(u, f).Nlink != 2 {
		u.Errorf("%d links", attrOf(u, f).Nlink)
	}
	writeAll(u, f, 0, []byte("shared"))
	expect(u, "remove", u.Remove(dir, "f").Status, nfs.OK)
	l := u.Lookup(dir, "g")
	if expect(u, "lookup", l.Status, nfs.OK); string(readAll(u, l.Object)) != "shared" || attrOf(u, l.Object).Nlink != 1 {
		u.Errorf("%+v", attrOf(u, l.Object))
	}
}
