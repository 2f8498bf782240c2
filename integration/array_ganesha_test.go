package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/gateway/backend/nfs"
	"forebay/integration/relay"
	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// filer are the options of the adapter over the export.
func (g *ganesha) filer() nfs.Options {
	return nfs.Options{Server: "127.0.0.1", Export: g.export, Port: port(g.t, g.nfs), MountPort: port(g.t, g.mount)}
}

func openFiler(t testing.TB, o nfs.Options) *nfs.Filer {
	t.Helper()
	f, err := nfs.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func openNFSFile(t testing.TB, f *nfs.Filer, o nfs.FileOptions) *nfs.File {
	t.Helper()
	a, err := nfs.OpenFile(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// disk makes a file of the export.
func (g *ganesha) disk(name string, size int64) {
	g.t.Helper()
	if err := os.WriteFile(g.path(name), nil, 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Truncate(g.path(name), size); err != nil {
		g.t.Fatal(err)
	}
}

func TestFileSystemOnGanesha(t *testing.T) {
	g := startGanesha(t)
	f := openFiler(t, g.filer())
	next := 0
	nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
		next++
		var r wire.CreateResult
		a := &wire.MkdirArgs{Where: wire.DirOp{Dir: f.Root(), Name: fmt.Sprint("place", next)}, Attr: wire.SetAttr{Mode: wire.Some[uint32](0o777)}}
		if err := f.Do(t.Context(), &wire.Caller{}, wire.ProcMkdir, a, &r); err != nil || r.Status != wire.OK {
			t.Fatal(r.Status, err)
		}
		return nfstest.Place{FS: f, Dir: r.Object.Value}
	})
}

func TestArrayOnGanesha(t *testing.T) {
	g := startGanesha(t)
	f := openFiler(t, g.filer())
	for _, block := range []int{512, 4096} {
		t.Run(fmt.Sprint(block), func(t *testing.T) {
			next := 0
			arraytest.Suite(t, func(t *testing.T) cachecore.Array {
				next++
				name := fmt.Sprintf("%d-%d.img", block, next)
				g.disk(name, 4<<20)
				return openNFSFile(t, f, nfs.FileOptions{Path: name, BlockSize: block})
			})
		})
	}
}

// quickWrites writes block after block of a's first MiB until the context ends, each one's content its number and round, and returns what is there in the end.
func blocksOf(a *nfs.File, i int64) []byte { return bytes.Repeat([]byte{byte(i + 1)}, 4096) }

func TestGaneshaThatIsRestartedIsGoneOnWith(t *testing.T) {
	g := startGanesha(t)
	g.disk("a.img", 4<<20)
	var told sync.Map
	o := g.filer()
	o.Drain = 200 * time.Millisecond
	o.Watch = func(e nfs.Event) { told.Store(e, true) }
	f := openFiler(t, o)
	a := openNFSFile(t, f, nfs.FileOptions{Path: "a.img", BlockSize: 4096})
	identity := a.Info().Identity
	for i := range int64(64) {
		if err := a.WriteAt(t.Context(), blocksOf(a, i), i*4096, cachecore.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if i == 20 || i == 40 {
			g.restart()
		}
	}
	_ = a.Flush(t.Context())
	for i := range int64(64) {
		p := make([]byte, 4096)
		if err := a.ReadAt(t.Context(), p, i*4096); err != nil || !bytes.Equal(p, blocksOf(a, i)) {
			t.Fatalf("block %d holds other bytes than were written, or %v", i, err)
		}
	}
	told.Range(func(e, _ any) bool { t.Logf("%+v", e); return true })
	again := openNFSFile(t, openFiler(t, g.filer()), nfs.FileOptions{Path: "a.img", BlockSize: 4096, Expected: identity})
	_ = again
	_ = errors.Is
	_ = context.Background
	_ = relay.Reset
}
