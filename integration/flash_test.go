package integration

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forebay/gateway/api"
	"forebay/integration/nfsmodel"
)

const flashSet = 128 << 20 // bytes of the volume

// onFlash is a volume whose pool has little RAM and flash for all of it: a day's worth of writes, too.
func onFlash(s settings) settings {
	s.ram, s.disk = "8MiB", "128MiB"
	s.flash = fmt.Sprintf("path: %s, size: 4GiB", filepath.Join(s.dir, "flash.img"))
	return s
}

// flash is what the status tells of the pool's flash tier.
func (g *gatewayProcess) flash() api.Flash {
	g.t.Helper()
	if f := g.status().Pools[0].Flash; f != nil {
		return *f
	}
	g.t.Fatal("the status tells of no flash tier")
	return api.Flash{}
}

// warmUp reads the volume until flash has that share of it.
func (g *gatewayProcess) warmUp(share float64) {
	g.t.Helper()
	eventually(g.t, 2*time.Minute, "the flash tier has the volume", func() bool {
		command(g.t, forebay, "bench", g.url(), "--block-size", "32KiB", "--depth", "8", "--duration", "2s")
		return float64(g.flash().UsedBytes) >= share*flashSet
	})
}

// fromArray is how many bytes the array was read for.
func (g *gatewayProcess) fromArray() int64 {
	g.t.Helper()
	return int64(g.metric(`forebay_array_read_bytes_total{array="disk1"}`))
}

// filled is a gateway whose volume has random content, in image, and is in flash.
func filled(t *testing.T, s settings) (g *gatewayProcess, _ settings, image string) {
	need(t, "qemu-img", "qemu-io")
	s.dir = t.TempDir()
	s = onFlash(s)
	g = startGateway(t, s)
	image = filepath.Join(s.dir, "image.raw")
	randomFile(t, image, flashSet)
	command(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, g.url())
	g.warmUp(0.98)
	return g, s, image
}

func compare(t *testing.T, image string, g *gatewayProcess) {
	t.Helper()
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, g.url())
}

// behindISCSI is a volume over tgtd.
func behindISCSI(t *testing.T) settings {
	a := startTgtd(t, tgtdOptions{size: flashSet, writeCache: true, thin: true})
	return settings{array: a.over(a.portal), lun: 1}
}

// After a clean end flash has everything that it had: the array is asked for the rest alone, and for what lies between pieces of that.
func TestFlashIsWarmAfterACleanEnd(t *testing.T) {
	t.Parallel()
	t.Run("a file", func(t *testing.T) { warmAfterACleanEnd(t, settings{}) })
	t.Run("iSCSI", func(t *testing.T) { warmAfterACleanEnd(t, behindISCSI(t)) })
}

func warmAfterACleanEnd(t *testing.T, s settings) {
	t.Parallel()
	g, s, image := filled(t, s)
	had := g.flash().UsedBytes
	g.stop()
	g = startGateway(t, s)
	compare(t, image, g)
	f := g.flash()
	if asked := g.fromArray(); int64(f.MissedBlocks)*4096 > flashSet-had || asked > flashSet/8 || f.HitBlocks*4096 < flashSet*9/10 {
		t.Errorf("the array was asked for %d bytes; %+v", asked, f)
	}
	t.Logf("%d bytes from the array; %+v", g.fromArray(), f)
}

// After a kill flash has what had been written to it, all but the last regions; and nothing of what was written to the volume since.
func TestFlashIsWarmAfterAKill(t *testing.T) {
	t.Parallel()
	t.Run("a file", func(t *testing.T) { warmAfterAKill(t, settings{}) })
	t.Run("iSCSI", func(t *testing.T) { warmAfterAKill(t, behindISCSI(t)) })
}

func warmAfterAKill(t *testing.T, s settings) {
	t.Parallel()
	g, s, image := filled(t, s)
	command(t, "qemu-io", "-f", "raw", "-c", "write -P 7 1m 64k", "-c", "write -P 8 100m 4k", g.url())
	g.kill()
	g = startGateway(t, s)
	out := command(t, "qemu-io", "-f", "raw", "-c", "read -P 7 1m 64k", "-c", "read -P 8 100m 4k", g.url())
	if strings.Contains(out, "verification failed") {
		t.Fatalf("what was written is not what is read:\n%s", out)
	}
	command(t, "qemu-io", "-f", "raw", "-c", "write -P 7 1m 64k", "-c", "write -P 8 100m 4k", image)
	compare(t, image, g)
	f := g.flash()
	if asked := g.fromArray(); asked > flashSet*3/4 || f.HitBlocks*4096 < flashSet/4 { // reads of which flash has a part ask the array for what is between, too
		t.Errorf("the array was asked for %d bytes; %+v", asked, f)
	}
	t.Logf("%d bytes from the array; %+v", g.fromArray(), f)
}

// A volume that was served without its flash tier finds nothing in it afterwards.
func TestFlashHasNothingAfterALifeWithoutIt(t *testing.T) {
	t.Parallel()
	g, s, image := filled(t, settings{})
	g.stop()
	without := s
	without.flash = ""
	g = startGateway(t, without)
	command(t, "qemu-io", "-f", "raw", "-c", "write -P 9 0 64m", g.url())
	g.stop()
	g = startGateway(t, s)
	command(t, "qemu-io", "-f", "raw", "-c", "write -P 9 0 64m", image)
	compare(t, image, g)
	if f := g.flash(); f.HitBlocks != 0 {
		t.Errorf("found what was cached before: %+v", f)
	}
}

// Sessions overlap on the same blocks while the gateway is killed, or ended, and started: no read sees what a write has replaced, whether the array
// acknowledges or the log.
func TestFlashSurvivesKills(t *testing.T) {
	t.Parallel()
	kills := 4
	if soak() {
		kills = 60
	}
	for name, write := range map[string]func(settings) settings{
		"through": func(s settings) settings { return s },
		"back":    writeBack,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := write(onFlash(settings{dir: t.TempDir(), listen: freePort(t)}))
			g := startGateway(t, s)
			const between = 4 * time.Second // several times what it takes until what was written is flushed, and so goes into flash
			load := start(t, forebay, "bench", g.url(), "--verify", "--shared", "--reconnect", "--sessions", "4", "--depth", "4", "--read", "90",
				"--working-set", "32MiB", "--duration", (time.Duration(kills) * 2 * between).String())
			hits := uint64(0)
			for range kills {
				select {
				case <-load.done:
					t.Fatalf("bench ended: %v\n%s", load.err, load.output())
				case <-time.After(between/2 + time.Duration(rand.Int64N(int64(between)))):
				}
				hits += g.flash().HitBlocks
				if rand.IntN(3) == 0 {
					g.stop()
				} else {
					g.kill()
				}
				g = startGateway(t, s)
			}
			must(t, "bench", load.wait(5*time.Minute))
			if hits == 0 {
				t.Error("flash has answered nothing")
			}
			t.Logf("%d hits\n%s", hits, load.output())
		})
	}
}

// An export reads from flash while it lives, and is what the model says; what others do to files in the folder is seen.
func TestAnExportOverFlashIsWhatTheModelSays(t *testing.T) {
	t.Parallel()
	array, path := folder(t)
	s := onFlash(settings{dir: t.TempDir(), array: array, export: "squash: none, attribute-cache: 1s"})
	s.ram = "1MiB"
	g := startGateway(t, s)
	command(t, forebay, "bench", g.file("verified"), "--create", "--verify", "--shared", "--sessions", "4", "--read", "90", "--working-set", "32MiB", "--duration", "6s")
	if f := g.flash(); f.HitBlocks == 0 {
		t.Errorf("nothing was read from flash: %+v", f)
	}
	c := g.checker(nfsmodel.Options{Seed: 7, AttributeCache: time.Second})
	must(t, "one at a time", c.Run(t.Context(), 400))
	must(t, "many at a time", c.RunConcurrent(t.Context(), 200))
	must(t, "behind the back", c.BehindTheBack(t.Context(), nfsmodel.Folder(path)))
	must(t, "all of it", c.Verify(t.Context()))
}

// The operator resizes the tier and takes it out while clients verify what they read.
func TestAFlashTierIsResizedAndRemovedUnderLoad(t *testing.T) {
	t.Parallel()
	s := onFlash(settings{dir: t.TempDir()})
	g := startGateway(t, s)
	load := start(t, forebay, "bench", g.url(), "--verify", "--shared", "--sessions", "4", "--depth", "4", "--read", "90", "--working-set", "32MiB", "--duration", "8s")
	eventually(t, 30*time.Second, "hits", func() bool { return g.flash().HitBlocks > 1000 })
	operate := func(args ...string) { command(t, forebay, append(args, "--api", g.api)...) }
	operate("tier", "flash", "fast", "--size", "256MiB")
	if f := g.flash(); f.Bytes > 256<<20 {
		t.Errorf("after it was made smaller: %+v", f)
	}
	operate("volume", "drop-cache", "vol1")
	operate("tier", "flash", "fast", "--size", "3584MiB") // all but the write log in its end
	operate("tier", "flash", "fast", "--remove")
	if f := g.flash(); f.State != "removed" {
		t.Errorf("after it was removed: %+v", f)
	}
	must(t, "bench", load.wait(time.Minute))
	g.stop()
	g = startGateway(t, s) // the configuration still has it: a new one
	if f := g.flash(); f.State != "ok" || f.UsedBytes != 0 {
		t.Errorf("after the next start: %+v", f)
	}
	g.stop()
	out := command(t, forebay, "inspect", filepath.Join(s.dir, "flash.img"))
	if !strings.Contains(out, "ended in order") || !strings.Contains(out, "write log in the last 536870912 bytes") {
		t.Errorf("inspect says %s", out)
	}
}

// What is read from RAM over and over was read from the array once. It is brought to flash beside, and so a kill leaves it warm, but for the last region.
func TestWhatIsHotInRAMIsWarmAfterAKill(t *testing.T) {
	t.Parallel()
	need(t, "qemu-io")
	const set, region = 64 << 20, 16 << 20
	s := onFlash(settings{dir: t.TempDir()})
	s.ram = "128MiB"
	g := startGateway(t, s)
	eventually(t, 2*time.Minute, "the flash tier has what is hot", func() bool {
		command(t, forebay, "bench", g.url(), "--block-size", "64KiB", "--depth", "4", "--working-set", "64MiB", "--duration", "1s")
		return g.flash().UsedBytes >= set
	})
	if asked := g.fromArray(); asked > set*11/10 {
		t.Fatalf("the array was asked for %d bytes: the set was not in RAM", asked)
	}
	g.kill()
	g = startGateway(t, s)
	command(t, "qemu-io", "-r", "-f", "raw", "-c", "read 0 64m", g.url())
	f := g.flash()
	if asked := g.fromArray(); asked > region+set/20 || f.HitBlocks*4096 < set-region-set/20 {
		t.Errorf("the array was asked for %d bytes; %+v", asked, f)
	}
	t.Logf("%d bytes from the array; %+v", g.fromArray(), f)
}
