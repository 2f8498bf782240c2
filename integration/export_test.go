package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"forebay/integration/nfsmodel"
	"forebay/integration/relay"
	wire "forebay/protocols/nfs"
)

// over is a gateway's array at an address that leads to the filer.
func (g *ganesha) over(address string) string {
	host, at := split(g.t, address)
	return fmt.Sprintf(`nfs: {server: %s, export: %s, port: %d, mount-port: %d}`, host, g.export, at, port(g.t, g.mount))
}

// folder is a gateway's array that is a local folder.
func folder(t testing.TB) (array, path string) {
	t.Helper()
	path = t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("directory: {gateway: gw-test, path: %s}", path), path
}

// file is a file of an export as forebay bench wants it.
func (g *gatewayProcess) file(name string) string {
	return fmt.Sprintf("nfs://%s%s/%s?mount-port=%d", g.nfs, demoExport, name, port(g.t, g.mount))
}

// checker holds an export to a model.
func (g *gatewayProcess) checker(o nfsmodel.Options) *nfsmodel.Checker {
	g.t.Helper()
	o.Address, o.MountAddress, o.Export = g.nfs, g.mount, demoExport
	c, err := nfsmodel.New(g.t.Context(), o)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(c.Close)
	return c
}

// must stops at the first answer that is wrong.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// The export is held to the model, and the folder behind to the same model; also when the folder is changed behind the gateway's back.
func TestAnExportOfAFolderIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]time.Duration{"remembering": time.Second, "not remembering": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			array, path := folder(t)
			g := startGateway(t, settings{array: array, ram: "16MiB", export: fmt.Sprintf("squash: none, attribute-cache: %v", cache)})
			c := g.checker(nfsmodel.Options{Seed: 1, AttributeCache: cache})
			holdToModel(t, c, path, path, rounds(3))
		})
	}
}

func rounds(n int) int {
	if soak() {
		return 40 * n
	}
	return n
}

// holdToModel runs all that the checker has; the export's folder is looked at directly, and changed by a route.
func holdToModel(t *testing.T, c *nfsmodel.Checker, path, export string, rounds int) {
	t.Helper()
	route := nfsmodel.Folder(export)
	for range rounds {
		must(t, "one at a time", c.Run(t.Context(), 400))
		must(t, "many at a time", c.RunConcurrent(t.Context(), 300))
		must(t, "commit", c.Commit(t.Context()))
		must(t, "the folder behind", c.Compare(path))
		must(t, "behind the back", c.BehindTheBack(t.Context(), route))
		must(t, "all of it", c.Verify(t.Context()))
	}
}

// ganeshas are what nfs-ganesha and tmpfs do otherwise, and we do not hide.
func ganeshas(o nfsmodel.Options) nfsmodel.Options {
	o.LooseListings, o.RefusedCreateEmpties = true, true
	return o
}

func TestAnExportOfAFilerIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	f := startGanesha(t)
	g := startGateway(t, settings{array: f.over(f.nfs), ram: "16MiB", export: "squash: none, attribute-cache: 1s", policy: "on-array-loss: hold 60s"})
	c := g.checker(ganeshas(nfsmodel.Options{Seed: 2, AttributeCache: time.Second}))
	holdToModel(t, c, f.export, f.export, rounds(2))
}

// Gateway and filer are killed and started again in between and meanwhile.
func TestAnExportIsWhatTheModelSaysThroughRestarts(t *testing.T) {
	f := startGanesha(t)
	s := settings{dir: t.TempDir(), array: f.over(f.nfs), ram: "16MiB", export: "squash: none, attribute-cache: 1s", policy: "on-array-loss: hold 60s"}
	s.nfsPort, s.mountPort = port(t, freePort(t)), port(t, freePort(t))
	g := startGateway(t, s)
	turn := 0
	o := ganeshas(nfsmodel.Options{Seed: 3, AttributeCache: time.Second, RemovedStaysOpen: true, DisturbEvery: 150, Logf: t.Logf})
	o.Disturb = func() {
		if turn++; turn%2 == 0 {
			f.restart()
			return
		}
		g.kill()
		g = startGateway(t, s)
	}
	c := g.checker(o)
	for range rounds(1) {
		must(t, "one at a time", c.Run(t.Context(), 900))
		must(t, "commit", c.Commit(t.Context()))
		must(t, "the folder behind", c.Compare(f.export))
	}
	must(t, "all of it", c.Verify(t.Context()))
}

// Eight sessions overlap on blocks of a file while the filer's connections are cut every second.
func TestSharedVerifyOverAFilerWhoseConnectionsAreCut(t *testing.T) {
	t.Parallel()
	duration := 12 * time.Second
	if soak() {
		duration = 10 * time.Minute
	}
	f := startGanesha(t)
	r := startRelay(t, f.nfs, relay.Options{})
	g := startGateway(t, settings{array: f.over(r.Addr()), ram: "16MiB", export: "squash: none", policy: "on-array-loss: hold 60s"})
	load := start(t, forebay, "bench", g.file("disk.img"), "--create", "--verify", "--shared", "--sessions", "8", "--depth", "8", "--read", "60",
		"--working-set", "64MiB", "--duration", duration.String())
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	r.CutEvery(ctx, time.Second, relay.Reset)
	must(t, "bench", load.wait(2*time.Minute))
	if v := g.status().Volumes[0]; v.Reads.Errors+v.Writes.Errors > 0 {
		t.Errorf("clients saw errors: %+v", v)
	}
	t.Log(load.output())
}

// nfs-ganesha doesn't say with a WRITE what the file was like before.
func TestAWriteOfTheSoleWriterToAFilerDropsNothing(t *testing.T) {
	f := startGanesha(t)
	randomFile(t, f.path("image"), 4<<20)
	g := startGateway(t, settings{array: f.over(f.nfs), ram: "16MiB", export: "squash: none, attribute-cache: 1h, sole-writer: true"})
	u, h, done := g.open("image")
	defer done()
	g.sum("image")
	before := g.fromArray()
	for range 3 {
		if w := u.Write(h, 0, wire.FileSync, make([]byte, 4096)); w.Status != wire.OK {
			t.Fatal(w.Status)
		}
	}
	g.sum("image")
	if n := g.fromArray() - before; n > 4096 { // a byte to see who may read
		t.Errorf("the filer was asked for %d bytes again", n)
	}
}

// A disk on a file of a filer.
func TestADiskOnAFileOfAFiler(t *testing.T) {
	t.Parallel()
	need(t, "qemu-img")
	f := startGanesha(t)
	must(t, "make the file", os.Mkdir(f.path("luns"), 0o755))
	must(t, "make the file", os.WriteFile(f.path("luns/a.img"), nil, 0o600))
	must(t, "make the file", os.Truncate(f.path("luns/a.img"), 128<<20))
	r := startRelay(t, f.nfs, relay.Options{})
	g := startGateway(t, settings{array: f.over(r.Addr()), path: "/luns/a.img", ram: "32MiB", policy: "on-array-loss: hold 60s"})
	image := filepath.Join(t.TempDir(), "image.raw")
	randomFile(t, image, 128<<20)
	command(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, g.url())
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, g.url())
	command(t, "cmp", image, f.path("luns/a.img"))
	load := start(t, forebay, "bench", g.url(), "--verify", "--shared", "--sessions", "4", "--working-set", "64MiB", "--duration", "6s")
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	r.CutEvery(ctx, time.Second, relay.Reset)
	must(t, "bench", load.wait(2*time.Minute))
	g.stop()
}

func split(t testing.TB, address string) (host string, at int) {
	t.Helper()
	i := len(address) - 1
	for address[i] != ':' {
		i--
	}
	return address[:i], port(t, address)
}
