package directory_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"forebay/gateway/backend/directory"
	"forebay/protocols/nfs"
)

// FuzzHandle looks at what is behind handles that nobody was given: an object of the same file system, or an error that says what is wrong.
func FuzzHandle(f *testing.F) {
	d := openForFuzzing(f)
	root := d.Root()
	var attr nfs.GetAttrResult
	look := func(t testing.TB, h nfs.Handle) nfs.Status {
		if err := d.Do(t.Context(), &nfs.Caller{}, nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}, &attr); err != nil {
			t.Fatal(err)
		}
		return attr.Status
	}
	if s := look(f, root); s != nfs.OK {
		f.Fatal("the root: ", s)
	}
	fsid := attr.Attr.FSID
	for _, h := range []nfs.Handle{root, root[:10], {}, slices.Concat(root, make([]byte, 64)), slices.Concat(root[:1], []byte{0xff}, root[2:])} {
		f.Add([]byte(h), true)
	}
	f.Add([]byte(root), false)
	f.Fuzz(func(t *testing.T, h []byte, checked bool) {
		if checked && len(h) >= 10 { // else nothing behind the check is looked at
			h = slices.Concat(h[:2], root[2:10], h[10:])
		}
		s := look(t, h)
		if !slices.Contains([]nfs.Status{nfs.OK, nfs.ErrStale, nfs.ErrBadHandle}, s) {
			t.Errorf("%x: %v", h, s)
		}
		if s == nfs.OK && (attr.Attr.FSID != fsid || len(h) < 11 || !bytes.Equal(h[2:10], root[2:10])) {
			t.Errorf("%x is %+v", h, attr.Attr)
		}
	})
}

func openForFuzzing(f *testing.F) *directory.Directory {
	f.Helper()
	path, err := os.MkdirTemp("/dev/shm", "forebay-directory-")
	if err != nil || os.Geteuid() != 0 {
		f.Skip("needs root and memory")
	}
	f.Cleanup(func() { os.RemoveAll(path) })
	return open(f, path)
}
