package integration

import (
	"fmt"
	"testing"
	"time"

	"forebay/integration/nfsmodel"
	"forebay/integration/relay"
	"forebay/protocols/nfs"
)

// drained has the array get all that was acknowledged.
func (g *gatewayProcess) drained() {
	g.t.Helper()
	command(g.t, forebay, "volume", "drain", "vol1", "--wait", "--api", g.api)
}

// An export with a write log is held to the model; what is drained is what the folder behind has. Changes behind the gateway's back are seen too.
func TestAWriteBackExportIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	f := startGanesha(t)
	array, path := folder(t)
	for name, x := range map[string]struct {
		array, path string
		o           nfsmodel.Options
	}{"folder": {array, path, nfsmodel.Options{Seed: 4, AttributeCache: time.Second}},
		"ganesha": {f.over(f.nfs), f.export, ganeshas(nfsmodel.Options{Seed: 5, AttributeCache: time.Second,
			Callers: []nfs.Caller{{}, {UID: 1001, GID: 1001, GIDs: []uint32{2001}}, {}}})}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, writeBack(settings{dir: t.TempDir(), array: x.array, ram: "16MiB", export: "squash: none, attribute-cache: 1s",
				policy: "on-array-loss: hold 60s"}))
			c := g.checker(x.o)
			for range rounds(2) {
				must(t, "one at a time", c.Run(t.Context(), 400))
				must(t, "many at a time", c.RunConcurrent(t.Context(), 300))
				g.drained()
				must(t, "the folder behind", c.Compare(x.path))
				must(t, "behind the back", c.BehindTheBack(t.Context(), nfsmodel.Folder(x.path)))
				must(t, "all of it", c.Verify(t.Context()))
			}
		})
	}
}

// Gateway and filer are killed and started again in between and meanwhile: everything acknowledged is there.
func TestAWriteBackExportIsWhatTheModelSaysThroughKills(t *testing.T) {
	t.Parallel()
	f := startGanesha(t)
	s := writeBack(settings{dir: t.TempDir(), array: f.over(f.nfs), ram: "16MiB", export: "squash: none, attribute-cache: 1s", policy: "on-array-loss: hold 60s"})
	s.nfsPort, s.mountPort = port(t, freePort(t)), port(t, freePort(t))
	g := startGateway(t, s)
	turn := 0
	o := ganeshas(nfsmodel.Options{Seed: 6, AttributeCache: time.Second, RemovedStaysOpen: true, TimesAdvance: true, DisturbEvery: 100, Logf: t.Logf})
	o.Disturb = func() {
		if turn++; turn%3 == 0 {
			f.restart()
			return
		}
		g.kill()
		g = startGateway(t, s)
	}
	c := g.checker(o)
	for range rounds(1) {
		must(t, "one at a time", c.Run(t.Context(), 900))
		g.drained()
		must(t, "the folder behind", c.Compare(f.export))
	}
	must(t, "all of it", c.Verify(t.Context()))
}

// The gateway is killed at random moments while sessions overlap on blocks of a file, and the filer's connections are cut: after each start every
// acknowledged write is there, and what is drained at the end is what clients read.
func TestAWriteBackExportSurvivesKills(t *testing.T) {
	t.Parallel()
	need(t, "nfs-cp")
	kills := 10
	if soak() {
		kills = 100
	}
	f := startGanesha(t)
	r := startRelay(t, f.nfs, relay.Options{})
	const host = "127.0.112.1" // with a port mapper, which nfs-cp asks
	s := writeBack(settings{dir: t.TempDir(), array: f.over(r.Addr()), ram: "32MiB", export: "squash: none", policy: "on-array-loss: hold 60s",
		host: host, portmap: true, nfsPort: 12049, mountPort: 12048})
	g := startGateway(t, s)
	load := start(t, forebay, "bench", g.file("disk.img"), "--create", "--verify", "--shared", "--reconnect", "--sessions", "4", "--depth", "8", "--read", "50",
		"--working-set", "64MiB", "--duration", (time.Duration(kills) * 2 * between).String())
	g = killedAgainAndAgain(g, s, load, r, kills)
	must(t, "bench", load.wait(5*time.Minute))
	t.Log(load.output())
	image := fmt.Sprintf("%s/seen.raw", s.dir)
	command(t, "nfs-cp", "nfs://"+host+demoExport+"/disk.img", image)
	g.drained()
	command(t, "cmp", image, f.path("disk.img"))
	g.stop()
}
