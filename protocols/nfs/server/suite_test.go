package server

import (
	"testing"

	"forebay/protocols/nfs/nfstest"
)

// A client sees a file system that is as good as the one that is served.
func TestClientsSeeAFileSystem(t *testing.T) {
	for name, c := range map[string]struct {
		mem  nfstest.Options
		cold bool
	}{
		"answered at once":       {},
		"answered later":         {cold: true},
		"the longest handles":    {mem: nfstest.Options{HandleSize: maxShort}},
		"handles to be hashed":   {mem: nfstest.Options{HandleSize: maxShort + 1}},
		"such handles, later":    {mem: nfstest.Options{HandleSize: 64}, cold: true},
		"short reads and writes": {mem: nfstest.Options{ReadMax: 1000, WriteMax: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
				r := newRig(t, c.mem, nil)
				r.files.Cold.Store(c.cold)
				return nfstest.Place{FS: r.client("127.0.0.1"), Dir: r.root()}
			})
		})
	}
}
