package nfstest

import (
	"context"

	"forebay/protocols/nfs"
)

// T is what a User needs of a test: a *testing.T, or a *rapid.T.
type T interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// User calls the procedures of a file system in a test, which ends when there is no answer. Results say how a procedure ended.
type User struct {
	T
	FS     nfs.FileSystem
	Caller nfs.Caller
}

// As is the same test and file system with another caller.
func (u User) As(uid, gid uint32, gids ...uint32) User {
	u.Caller = nfs.Caller{UID: uid, GID: gid, GIDs: gids}
	return u
}

// Do executes a procedure.
func (u User) Do(p nfs.Procedure, a, r nfs.Message) {
	u.Helper()
	if err := u.FS.Do(u.Context(), &u.Caller, p, a, r); err != nil {
		u.Fatalf("%v: %v", p, err)
	}
}

func (u User) GetAttr(h nfs.Handle) (r nfs.GetAttrResult) {
	u.Helper()
	u.Do(nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}, &r)
	return r
}

func (u User) SetAttr(h nfs.Handle, a nfs.SetAttr) (r nfs.WccResult) {
	u.Helper()
	u.Do(nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: a}, &r)
	return r
}

// Truncate is SETATTR of the size.
func (u User) Truncate(h nfs.Handle, size uint64) nfs.WccResult {
	u.Helper()
	return u.SetAttr(h, nfs.SetAttr{Size: nfs.Some(size)})
}

// Chmod is SETATTR of the mode.
func (u User) Chmod(h nfs.Handle, mode uint32) nfs.WccResult {
	u.Helper()
	return u.SetAttr(h, nfs.SetAttr{Mode: nfs.Some(mode)})
}

func (u User) Lookup(dir nfs.Handle, name string) (r nfs.LookupResult) {
	u.Helper()
	u.Do(nfs.ProcLookup, &nfs.DirOp{Dir: dir, Name: name}, &r)
	return r
}

func (u User) Access(h nfs.Handle, a nfs.Access) (r nfs.AccessResult) {
	u.Helper()
	u.Do(nfs.ProcAccess, &nfs.AccessArgs{Object: h, Access: a}, &r)
	return r
}

func (u User) ReadLink(h nfs.Handle) (r nfs.ReadLinkResult) {
	u.Helper()
	u.Do(nfs.ProcReadLink, &nfs.HandleArgs{Object: h}, &r)
	return r
}

func (u User) Read(h nfs.Handle, off uint64, n uint32) (r nfs.ReadResult) {
	u.Helper()
	r.Data = make([]byte, n)
	u.Do(nfs.ProcRead, &nfs.ReadArgs{File: h, Offset: off, Count: n}, &r)
	return r
}

func (u User) Write(h nfs.Handle, off uint64, s nfs.Stable, p []byte) (r nfs.WriteResult) {
	u.Helper()
	u.Do(nfs.ProcWrite, &nfs.WriteArgs{File: h, Offset: off, Stable: s, Data: p}, &r)
	return r
}

// Commit is COMMIT of the whole file.
func (u User) Commit(h nfs.Handle) (r nfs.CommitResult) {
	u.Helper()
	u.Do(nfs.ProcCommit, &nfs.CommitArgs{File: h}, &r)
	return r
}

// Create is a guarded CREATE with a mode.
func (u User) Create(dir nfs.Handle, name string, mode uint32) nfs.CreateResult {
	u.Helper()
	return u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: dir, Name: name}, Mode: nfs.Guarded, Attr: nfs.SetAttr{Mode: nfs.Some(mode)}})
}

func (u User) CreateAs(a nfs.CreateArgs) (r nfs.CreateResult) {
	u.Helper()
	u.Do(nfs.ProcCreate, &a, &r)
	return r
}

func (u User) Mkdir(dir nfs.Handle, name string, mode uint32) (r nfs.CreateResult) {
	u.Helper()
	u.Do(nfs.ProcMkdir, &nfs.MkdirArgs{Where: nfs.DirOp{Dir: dir, Name: name}, Attr: nfs.SetAttr{Mode: nfs.Some(mode)}}, &r)
	return r
}

func (u User) Symlink(dir nfs.Handle, name, target string) (r nfs.CreateResult) {
	u.Helper()
	u.Do(nfs.ProcSymlink, &nfs.SymlinkArgs{Where: nfs.DirOp{Dir: dir, Name: name}, Path: target}, &r)
	return r
}

func (u User) Mknod(dir nfs.Handle, name string, kind nfs.FileType, d nfs.Device) (r nfs.CreateResult) {
	u.Helper()
	u.Do(nfs.ProcMknod, &nfs.MknodArgs{Where: nfs.DirOp{Dir: dir, Name: name}, Type: kind, Device: d}, &r)
	return r
}

func (u User) Remove(dir nfs.Handle, name string) (r nfs.WccResult) {
	u.Helper()
	u.Do(nfs.ProcRemove, &nfs.DirOp{Dir: dir, Name: name}, &r)
	return r
}

func (u User) Rmdir(dir nfs.Handle, name string) (r nfs.WccResult) {
	u.Helper()
	u.Do(nfs.ProcRmdir, &nfs.DirOp{Dir: dir, Name: name}, &r)
	return r
}

func (u User) Rename(from nfs.Handle, name string, to nfs.Handle, as string) (r nfs.RenameResult) {
	u.Helper()
	u.Do(nfs.ProcRename, &nfs.RenameArgs{From: nfs.DirOp{Dir: from, Name: name}, To: nfs.DirOp{Dir: to, Name: as}}, &r)
	return r
}

func (u User) Link(h, dir nfs.Handle, name string) (r nfs.LinkResult) {
	u.Helper()
	u.Do(nfs.ProcLink, &nfs.LinkArgs{File: h, Link: nfs.DirOp{Dir: dir, Name: name}}, &r)
	return r
}

func (u User) ReadDir(dir nfs.Handle, cookie uint64, v nfs.Verifier, count uint32) (r nfs.ReadDirResult) {
	u.Helper()
	u.Do(nfs.ProcReadDir, &nfs.ReadDirArgs{Dir: dir, Cookie: cookie, Verifier: v, Count: count}, &r)
	return r
}

func (u User) ReadDirPlus(dir nfs.Handle, cookie uint64, v nfs.Verifier, dirCount, maxCount uint32) (r nfs.ReadDirPlusResult) {
	u.Helper()
	u.Do(nfs.ProcReadDirPlus, &nfs.ReadDirPlusArgs{Dir: dir, Cookie: cookie, Verifier: v, DirCount: dirCount, MaxCount: maxCount}, &r)
	return r
}

func (u User) FSStat(h nfs.Handle) (r nfs.FSStatResult) {
	u.Helper()
	u.Do(nfs.ProcFSStat, &nfs.HandleArgs{Object: h}, &r)
	return r
}

func (u User) FSInfo(h nfs.Handle) (r nfs.FSInfoResult) {
	u.Helper()
	u.Do(nfs.ProcFSInfo, &nfs.HandleArgs{Object: h}, &r)
	return r
}

func (u User) PathConf(h nfs.Handle) (r nfs.PathConfResult) {
	u.Helper()
	u.Do(nfs.ProcPathConf, &nfs.HandleArgs{Object: h}, &r)
	return r
}
