package nfstest

import "forebay/protocols/nfs"

// changed checks that an object has changed since before, and that w, if there, says what lies between.
func changed(u User, what string, h nfs.Handle, before nfs.Attr, w *nfs.WccData) nfs.Attr {
	u.Helper()
	now := attrOf(u, h)
	if !before.Ctime.Before(now.Ctime) {
		u.Errorf("%s: ctime %v became %v", what, before.Ctime, now.Ctime)
	}
	if w == nil {
		return now
	}
	if b := w.Before; b.Follows && b.Value != (nfs.WccAttr{Size: before.Size, Mtime: before.Mtime, Ctime: before.Ctime}) {
		u.Errorf("%s: before: %+v, was %+v", what, b.Value, before)
	}
	taken := now
	taken.Used = w.After.Value.Used // a file takes its space later
	if w.After.Follows && w.After.Value != taken {
		u.Errorf("%s: after: %+v, is %+v", what, w.After.Value, now)
	}
	return now
}

func changesShow(u User, dir nfs.Handle) {
	d := attrOf(u, dir)
	c := u.Create(dir, "f", 0o644)
	d = changed(u, "create", dir, d, &c.DirWcc)
	f := handleOf(u, dir, "f", &c)
	a := attrOf(u, f)
	w := u.Write(f, 0, nfs.FileSync, []byte("data"))
	a = changed(u, "write", f, a, &w.Wcc)
	s := u.Truncate(f, 2)
	a = changed(u, "cut", f, a, &s.Wcc)
	s = u.Chmod(f, 0o600)
	a = changed(u, "chmod", f, a, &s.Wcc)
	l := u.Link(f, dir, "g")
	a = changed(u, "link", f, a, nil)
	d = changed(u, "link", dir, d, &l.DirWcc)
	r := u.Rename(dir, "g", dir, "h")
	d = changed(u, "rename", dir, d, nil)
	expect(u, "rename", r.Status, nfs.OK)
	s = u.Remove(dir, "h")
	d = changed(u, "remove", dir, d, &s.Wcc)
	changed(u, "remove", f, a, nil)
	m := u.Mkdir(dir, "sub", 0o755)
	d = changed(u, "mkdir", dir, d, &m.DirWcc)
	s = u.Rmdir(dir, "sub")
	changed(u, "rmdir", dir, d, &s.Wcc)
}

func guards(u User, dir nfs.Handle) {
	f := makeFile(u, dir, "f")
	a := nfs.SetAttrArgs{Object: f, Attr: nfs.SetAttr{Mode: nfs.Some[uint32](0o600)}, Guard: nfs.Some(attrOf(u, f).Ctime)}
	var r nfs.WccResult
	u.Do(nfs.ProcSetAttr, &a, &r)
	expect(u, "a guard that holds", r.Status, nfs.OK)
	a.Attr.Mode.Value, r = 0o644, nfs.WccResult{}
	u.Do(nfs.ProcSetAttr, &a, &r)
	expect(u, "a guard that is passed", r.Status, nfs.ErrNotSync)
	if mode := attrOf(u, f).Mode; mode != 0o600 {
		u.Errorf("mode %o", mode)
	}
}

func permissions(u User, dir nfs.Handle) {
	owner, friend, other := u.As(1000, 100), u.As(1001, 200, 7, 100), u.As(1002, 200)
	expect(u, "chmod", u.Chmod(dir, 0o777).Status, nfs.OK)
	f := makeFile(owner, dir, "f")
	writeAll(owner, f, 0, []byte("data"))
	expect(u, "chmod by another", friend.Chmod(f, 0o777).Status, nfs.ErrPerm)
	expect(u, "chmod", owner.Chmod(f, 0o640).Status, nfs.OK)
	expect(u, "read by group", friend.Read(f, 0, 4).Status, nfs.OK)
	expect(u, "write by group", friend.Write(f, 0, nfs.FileSync, []byte("x")).Status, nfs.ErrAcces)
	expect(u, "read by others", other.Read(f, 0, 4).Status, nfs.ErrAcces)
	all := nfs.AccessRead | nfs.AccessModify | nfs.AccessExtend
	for who, want := range map[*User]nfs.Access{&owner: all, &friend: nfs.AccessRead, &other: 0, &u: all} {
		if r := who.Access(f, all); r.Status != nfs.OK || r.Access != want {
			u.Errorf("user %d may do %#x: %v, want %#x", who.Caller.UID, r.Access, r.Status, want)
		}
	}
	closed := makeDir(owner, dir, "closed")
	expect(u, "chmod", owner.Chmod(closed, 0o700).Status, nfs.OK)
	expect(u, "lookup by others", other.Lookup(closed, "x").Status, nfs.ErrAcces)
	expect(u, "create by others", other.Create(closed, "x", 0o644).Status, nfs.ErrAcces)
	expect(u, "readdir by others", other.ReadDir(closed, 0, nfs.Verifier{}, 4096).Status, nfs.ErrAcces)
	expect(u, "create by root", u.Create(closed, "x", 0o644).Status, nfs.OK)
	give := nfs.SetAttr{UID: nfs.Some[uint32](1001)}
	expect(u, "chown by the owner", owner.SetAttr(f, give).Status, nfs.ErrPerm)
	expect(u, "chown by root", u.SetAttr(f, give).Status, nfs.OK)
}

func itself(u User, dir nfs.Handle) {
	if r := u.FSInfo(dir); r.Status != nfs.OK || r.ReadMax == 0 || r.WriteMax == 0 || r.MaxFileSize == 0 {
		u.Errorf("%+v", r)
	}
	if r := u.FSStat(dir); r.Status != nfs.OK || r.TotalBytes == 0 || r.FreeBytes > r.TotalBytes {
		u.Errorf("%+v", r)
	}
	if r := u.PathConf(dir); r.Status != nfs.OK || r.NameMax == 0 || r.LinkMax == 0 {
		u.Errorf("%+v", r)
	}
}
