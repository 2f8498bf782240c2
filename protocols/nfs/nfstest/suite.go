package nfstest

import (
	"testing"

	"forebay/protocols/nfs"
)

// Place is where the suite works: a directory that is empty and its callers' to use; root is root there.
type Place struct {
	FS  nfs.FileSystem
	Dir nfs.Handle
}

// TestFileSystem is what every nfs.FileSystem promises, as far as its clients can rely on it. open returns a new place for each test.
func TestFileSystem(t *testing.T, open func(t *testing.T) Place) {
	for _, c := range []struct {
		promise string
		test    func(u User, dir nfs.Handle)
	}{
		{"what is written is read", dataIsRead},
		{"a hole reads as zeros", holesAreZeros},
		{"a file that was cut is shorter, and zeros when it grows again", cutFiles},
		{"names lead to what was made", namesLead},
		{"a name that is taken is not taken again", takenNames},
		{"an exclusive create can be repeated", exclusiveCreate},
		{"what is removed is gone", removedIsGone},
		{"rename moves and replaces", renames},
		{"links share a file", links},
		{"a listing has each name once", listings},
		{"a listing keeps to its count", listingCounts},
		{"every change shows in ctime and in the data of weak cache consistency", changesShow},
		{"a guard that is passed changes nothing", guards},
		{"modes say who may do what", permissions},
		{"the file system tells about itself", itself},
	} {
		t.Run(c.promise, func(t *testing.T) {
			at := open(t)
			c.test(User{T: t, FS: at.FS}, at.Dir)
		})
	}
}

// expect checks a status.
func expect(u User, what string, got, want nfs.Status) {
	u.Helper()
	if got != want {
		u.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// makeFile makes a file, which is to be there.
func makeFile(u User, dir nfs.Handle, name string) nfs.Handle {
	u.Helper()
	r := u.Create(dir, name, 0o644)
	expect(u, "create "+name, r.Status, nfs.OK)
	return handleOf(u, dir, name, &r)
}

func makeDir(u User, dir nfs.Handle, name string) nfs.Handle {
	u.Helper()
	r := u.Mkdir(dir, name, 0o755)
	expect(u, "mkdir "+name, r.Status, nfs.OK)
	return handleOf(u, dir, name, &r)
}

// handleOf is the handle of what was made, which a result need not have.
func handleOf(u User, dir nfs.Handle, name string, r *nfs.CreateResult) nfs.Handle {
	u.Helper()
	if r.Object.Follows {
		return r.Object.Value
	}
	l := u.Lookup(dir, name)
	expect(u, "look up "+name, l.Status, nfs.OK)
	return l.Object
}

func attrOf(u User, h nfs.Handle) nfs.Attr {
	u.Helper()
	r := u.GetAttr(h)
	expect(u, "getattr", r.Status, nfs.OK)
	return r.Attr
}

// readAll reads a file to its end.
func readAll(u User, h nfs.Handle) (p []byte) {
	u.Helper()
	for {
		r := u.Read(h, uint64(len(p)), 1<<16)
		expect(u, "read", r.Status, nfs.OK)
		p = append(p, r.Data...)
		if r.EOF {
			return p
		}
		if r.Count == 0 {
			u.Fatal("nothing is read before the end")
		}
	}
}

func writeAll(u User, h nfs.Handle, off uint64, p []byte) {
	u.Helper()
	for len(p) > 0 {
		r := u.Write(h, off, nfs.FileSync, p)
		expect(u, "write", r.Status, nfs.OK)
		if r.Count == 0 || int(r.Count) > len(p) || r.Committed != nfs.FileSync {
			u.Fatalf("%+v", r)
		}
		p, off = p[r.Count:], off+uint64(r.Count)
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8)
	}
	return p
}
