package directory_test

import (
	"os"
	"testing"

	"github.com/rs/zerolog"

	"forebay/gateway/backend/directory"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// open opens a folder.
func open(t testing.TB, path string) *directory.Directory {
	t.Helper()
	d, err := directory.Open(directory.Options{Path: path, Log: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// rig is an open folder and root there.
func rig(t *testing.T) (string, nfstest.User, nfs.Handle) {
	t.Helper()
	path := folderIn(t, os.TempDir())
	d := open(t, path)
	return path, nfstest.User{T: t, FS: d}, d.Root()
}

// The places that are tried: a disk and memory.
var places = map[string]string{"disk": os.TempDir(), "memory": "/dev/shm"}

// folderIn makes an empty folder.
func folderIn(t *testing.T, where string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path, err := os.MkdirTemp(where, "forebay-directory-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

func TestSuite(t *testing.T) {
	for name, where := range places {
		t.Run(name, func(t *testing.T) {
			nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
				d := open(t, folderIn(t, where))
				return nfstest.Place{FS: d, Dir: d.Root()}
			})
		})
	}
}

// expect checks a status.
func expect(t testing.TB, what string, got, want nfs.Status) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// must makes sure of what a test goes on with.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// find returns the handle of what has a name, which is to be there.
func find(t testing.TB, u nfstest.User, dir nfs.Handle, name string) nfs.Handle {
	t.Helper()
	r := u.Lookup(dir, name)
	if r.Status != nfs.OK {
		t.Fatalf("look up %s: %v", name, r.Status)
	}
	return r.Object
}

// makeFile makes a file of u's.
func makeFile(t testing.TB, u nfstest.User, dir nfs.Handle, name string, mode uint32) nfs.Handle {
	t.Helper()
	r := u.Create(dir, name, mode)
	if r.Status != nfs.OK {
		t.Fatalf("create %s: %v", name, r.Status)
	}
	return r.Object.Value
}
