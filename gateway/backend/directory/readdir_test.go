package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/xdr"
)

const permanent = 5000

// Entries that stay are listed once each, whatever comes and goes meanwhile.
func TestListingsHoldWhileOthersCreateAndRemove(t *testing.T) {
	for name, where := range places {
		t.Run(name, func(t *testing.T) {
			path := folderIn(t, where)
			for i := range permanent {
				must(t, os.WriteFile(filepath.Join(path, fmt.Sprint("stays-", i)), nil, 0o644))
			}
			d := open(t, path)
			u := nfstest.User{T: t, FS: d}
			others := churn{t: t, path: path}
			checkListed(t, list(t, u, d.Root(), 700, others.step))
			checkListed(t, listPlus(t, u, d.Root(), 3000, others.step))
		})
	}
}

// churn is somebody who makes and removes files.
type churn struct {
	t    *testing.T
	path string
	made int
}

// step makes ten files and removes ten older ones.
func (c *churn) step() {
	for range 10 {
		must(c.t, os.WriteFile(filepath.Join(c.path, fmt.Sprint("comes-", c.made)), nil, 0o644))
		if c.made++; c.made > 50 {
			must(c.t, os.Remove(filepath.Join(c.path, fmt.Sprint("comes-", c.made-51))))
		}
	}
}

// list lists a directory with READDIRs of count bytes, and counts its names.
func list(t *testing.T, u nfstest.User, dir nfs.Handle, count uint32, between func()) map[string]int {
	t.Helper()
	names := make(map[string]int)
	var cookie uint64
	var v nfs.Verifier
	for eof := false; !eof; {
		r := u.ReadDir(dir, cookie, v, count)
		var e xdr.Encoder
		r.Encode(&e)
		if r.Status != nfs.OK || len(r.Entries) == 0 && !r.EOF || e.Len() > int(count)+4 {
			t.Fatalf("%v: %d entries in %d bytes", r.Status, len(r.Entries), e.Len())
		}
		for _, e := range r.Entries {
			names[e.Name]++
			cookie = e.Cookie
		}
		v, eof = r.Verifier, r.EOF
		between()
	}
	return names
}

// listPlus lists a directory with READDIRPLUSes of count bytes.
func listPlus(t *testing.T, u nfstest.User, dir nfs.Handle, count uint32, between func()) map[string]int {
	t.Helper()
	names := make(map[string]int)
	var cookie uint64
	for eof := false; !eof; {
		r := u.ReadDirPlus(dir, cookie, nfs.Verifier{}, count, count)
		var e xdr.Encoder
		r.Encode(&e)
		if r.Status != nfs.OK || len(r.Entries) == 0 && !r.EOF || e.Len() > int(count)+4 {
			t.Fatalf("%v: %d entries in %d bytes", r.Status, len(r.Entries), e.Len())
		}
		for _, e := range r.Entries {
			names[e.Name]++
			cookie = e.Cookie
			if strings.HasPrefix(e.Name, "stays-") && (!e.Handle.Follows || e.Attr.Value.FileID != e.FileID) {
				t.Errorf("%+v", e)
			}
		}
		eof = r.EOF
		between()
	}
	return names
}

func checkListed(t *testing.T, names map[string]int) {
	t.Helper()
	for i := range permanent {
		if name := fmt.Sprint("stays-", i); names[name] != 1 {
			t.Errorf("%s is listed %d times", name, names[name])
		}
	}
	if names["."] != 1 || names[".."] != 1 {
		t.Errorf(". is listed %d times, .. %d times", names["."], names[".."])
	}
}

func TestTheRootsParentIsTheRoot(t *testing.T) {
	_, u, root := rig(t)
	inode := u.GetAttr(root).Attr.FileID
	for _, e := range u.ReadDir(root, 0, nfs.Verifier{}, 4096).Entries {
		if e.FileID != inode {
			t.Errorf("%s is %d, and the root %d", e.Name, e.FileID, inode)
		}
	}
	for _, e := range u.ReadDirPlus(root, 0, nfs.Verifier{}, 4096, 4096).Entries {
		if e.FileID != inode {
			t.Errorf("%s is %d, and the root %d", e.Name, e.FileID, inode)
		}
	}
}

func TestStrangeCookiesAreRefused(t *testing.T) {
	_, u, root := rig(t)
	f := makeFile(t, u, root, "f", 0o644)
	expect(t, "negative", u.ReadDir(root, 1<<63, nfs.Verifier{}, 4096).Status, nfs.ErrBadCookie)
	expect(t, "of another verifier", u.ReadDir(root, 1, nfs.Verifier{1}, 4096).Status, nfs.ErrBadCookie)
	expect(t, "of another verifier", u.ReadDirPlus(root, 1, nfs.Verifier{1}, 4096, 4096).Status, nfs.ErrBadCookie)
	expect(t, "of a file", u.ReadDir(f, 0, nfs.Verifier{}, 4096).Status, nfs.ErrNotDir)
	for _, cookie := range []uint64{1, 12345, 1<<63 - 1} {
		if s := u.ReadDir(root, cookie, nfs.Verifier{}, 4096).Status; s != nfs.OK && s != nfs.ErrBadCookie {
			t.Errorf("cookie %d: %v", cookie, s)
		}
	}
	expect(t, "as much as there is", u.ReadDir(root, 0, nfs.Verifier{}, 1<<32-1).Status, nfs.OK)
}
