package integration

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"forebay/gateway/backend/nfs"
	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

const warmFile = 48 << 20 // bytes, several regions of the flash tier

// What flash has of an export's file is found again after a kill, and after a clean end, if the file is what it was; else it is read anew.
func TestAnExportIsWarmAfterARestart(t *testing.T) {
	t.Parallel()
	through := func(s settings) settings { return s }
	t.Run("a folder", func(t *testing.T) {
		array, path := folder(t)
		warmExport(t, array, path, through)
	})
	t.Run("a folder written back to", func(t *testing.T) {
		array, path := folder(t)
		warmExport(t, array, path, writeBack)
	})
	t.Run("a filer", func(t *testing.T) {
		g := startGanesha(t)
		warmExport(t, g.over(g.nfs), g.export, through)
	})
}

func warmExport(t *testing.T, array, path string, written func(settings) settings) {
	t.Parallel()
	s := written(onFlash(settings{dir: t.TempDir(), array: array, export: "squash: none, attribute-cache: 1s"}))
	g := startGateway(t, s)
	name := filepath.Join(path, "image")
	randomFile(t, name, warmFile)
	u, h, done := g.open("image")
	if w := u.Write(h, 0, wire.Unstable, []byte("written by a client")); w.Status != wire.OK {
		t.Fatal(w.Status)
	}
	done()
	eventually(t, 2*time.Minute, "the flash tier has the file", func() bool {
		g.sum("image")
		return g.flash().UsedBytes >= warmFile
	})
	content := g.sum("image")
	eventually(t, time.Minute, "it is kept", func() bool {
		f := g.flash()
		return f.WrittenBytes >= uint64(f.UsedBytes) && g.metric("forebay_nfs_kept_files") == 1
	})
	g.kill()

	for _, end := range []func(){func() { g.kill() }, func() { g.stop() }} {
		g = startGateway(t, s)
		if g.sum("image") != content {
			t.Error("it is not what it was")
		}
		if f := g.flash(); f.HitBlocks*4096 < warmFile*9/10 || g.fromArray() > warmFile/10 {
			t.Errorf("the array was asked for %d bytes; %+v", g.fromArray(), f)
		}
		end()
	}
	changed, err := os.OpenFile(name, os.O_WRONLY, 0)
	must(t, "change the file", err)
	_, err = changed.WriteAt([]byte("something else"), warmFile/2)
	must(t, "change the file", err)
	must(t, "change the file", changed.Close())
	g = startGateway(t, s)
	now, err := os.ReadFile(name)
	must(t, "read the file", err)
	if g.sum("image") != fmt.Sprintf("%x", sha256.Sum256(now)) {
		t.Error("what was before the change is read")
	}
}

// open opens a file of the export as a client, until that is done.
func (g *gatewayProcess) open(name string) (u nfstest.User, h wire.Handle, done func()) {
	g.t.Helper()
	_, at := split(g.t, g.nfs)
	f := openFiler(g.t, nfs.Options{Server: "127.0.0.1", Export: demoExport, Port: at, MountPort: port(g.t, g.mount)})
	u = nfstest.User{T: g.t.(*testing.T), FS: f}
	return u, u.Lookup(f.Root(), name).Object, func() { f.Close() }
}

// sum reads a file of the export, and returns a hash of its content.
func (g *gatewayProcess) sum(name string) string {
	g.t.Helper()
	u, h, done := g.open(name)
	defer done()
	hash := sha256.New()
	for off := uint64(0); ; {
		r := u.Read(h, off, 256<<10)
		if r.Status != wire.OK {
			g.t.Fatal(r.Status)
		}
		hash.Write(r.Data)
		if off += uint64(len(r.Data)); r.EOF {
			return fmt.Sprintf("%x", hash.Sum(nil))
		}
	}
}
