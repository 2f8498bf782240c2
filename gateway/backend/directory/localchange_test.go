package directory_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"forebay/protocols/nfs/nfstest"
)

// The attributes beside content are not of later: who keeps both would take the content for that of a file that somebody in the folder has changed since.
func TestTheAttributesOfAReadAreNoNewerThanItsContent(t *testing.T) {
	path := folderIn(t, places["memory"])
	d := open(t, path)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	local, err := os.OpenFile(filepath.Join(path, "f"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	var others sync.WaitGroup
	defer others.Wait()
	end := make(chan struct{})
	defer close(end)
	others.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				_, _ = local.Write([]byte("x"))
			}
		}
	})
	for range 2000 {
		if r := u.Read(f, 0, 1<<20); r.EOF && uint64(r.Count) < r.Attr.Value.Size {
			t.Fatalf("the end of a file of %d bytes is said to be at %d", r.Attr.Value.Size, r.Count)
		}
		if err := local.Truncate(0); err != nil {
			t.Fatal(err)
		}
	}
}
