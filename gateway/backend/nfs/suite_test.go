package nfs

import (
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/protocols/nfs/nfstest"
)

func TestFilerIsAFileSystem(t *testing.T) {
	nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
		s := newSAN(t, nfstest.Options{})
		f, err := Open(t.Context(), Options{Server: "filer", Export: "/exp", Port: 2049, MountPort: 20048, Dial: s.dial})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			f.Close()
			s.stop()
		})
		return nfstest.Place{FS: f, Dir: f.Root()}
	})
}

func TestSuiteOnAFileOfAFiler(t *testing.T) {
	for name, c := range map[string]struct {
		mem   nfstest.Options
		block int
	}{
		"512, in small pieces":   {mem: nfstest.Options{ReadMax: 8 << 10, WriteMax: 12 << 10}, block: 512},
		"4096, of a long handle": {mem: nfstest.Options{HandleSize: 64}, block: 4096},
	} {
		t.Run(name, func(t *testing.T) {
			arraytest.Suite(t, func(t *testing.T) cachecore.Array {
				s := newSAN(t, c.mem)
				s.mem.Put("luns/a.img", make([]byte, 1<<20+100))
				f, err := Open(t.Context(), Options{Server: "filer", Export: "/exp", Port: 2049, MountPort: 20048, Dial: s.dial})
				if err != nil {
					t.Fatal(err)
				}
				a, err := OpenFile(t.Context(), f, FileOptions{Path: "/luns/a.img", BlockSize: c.block})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					a.Close()
					f.Close()
					s.stop()
				})
				return a
			})
		})
	}
}
