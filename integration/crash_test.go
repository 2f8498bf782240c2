package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"forebay/integration/relay"
)

// writeBack is a volume that is acknowledged by a log on a file.
func writeBack(s settings) settings {
	s.log = fmt.Sprintf("path: %s, size: 256MiB", filepath.Join(s.dir, "log.img"))
	s.write = "back"
	return s
}

// The gateway is killed at random moments while sessions overlap on the same blocks, and its array's connections are cut: after each start
// every acknowledged write is there, and what is drained at the end is what clients read.
func TestWriteBackSurvivesKills(t *testing.T) {
	t.Parallel()
	kills := 10
	if soak() {
		kills = 100
	}
	writeBackSurvivesKills(t, kills, writeBack)
}

// The same with a log in the end of the flash, which is all that the tier has.
func TestWriteBackWithItsLogInTheFlashSurvivesKills(t *testing.T) {
	t.Parallel()
	kills := 3
	if soak() {
		kills = 60
	}
	var path string
	writeBackSurvivesKills(t, kills, func(s settings) settings {
		path = filepath.Join(s.dir, "flash.img")
		s.flash, s.write = fmt.Sprintf("path: %s, size: 1GiB", path), "back"
		return s
	})
	out := command(t, forebay, "inspect", path)
	if !strings.Contains(out, "flash tier") || !regexp.MustCompile(`shard [0-9a-f]+ "vol1": 0 records`).MatchString(out) {
		t.Errorf("inspect says %s", out)
	}
}

func writeBackSurvivesKills(t *testing.T, kills int, logged func(settings) settings) {
	need(t, "qemu-img")
	a := startTgtd(t, tgtdOptions{size: 128 << 20, writeCache: true, thin: true, bsoflags: "direct"})
	r := startRelay(t, a.portal, relay.Options{})
	s := logged(settings{dir: t.TempDir(), ram: "32MiB", listen: freePort(t), array: a.over(r.Addr()), lun: 1})
	g := startGateway(t, s)
	load := start(t, forebay, "bench", g.url(), "--verify", "--shared", "--reconnect", "--sessions", "4", "--depth", "8", "--read", "50",
		"--working-set", "64MiB", "--duration", (time.Duration(kills) * 2 * between).String())
	g = killedAgainAndAgain(g, s, load, r, kills)
	must(t, "bench", load.wait(5*time.Minute))
	t.Log(load.output())
	image := filepath.Join(s.dir, "seen.raw")
	command(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", g.url(), image)
	command(t, forebay, "volume", "drain", "vol1", "--wait", "--api", g.api)
	g.stop()
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, a.url(1))
}

// between is about the time from one kill of a gateway to the next.
const between = 1500 * time.Millisecond

// killedAgainAndAgain kills the gateway at random moments while a load runs, cuts its array's connections at some of them, and starts it again, of which
// it returns the last.
func killedAgainAndAgain(g *gatewayProcess, s settings, load *process, r *relay.Relay, kills int) *gatewayProcess {
	g.t.Helper()
	for range kills {
		select {
		case <-load.done:
			g.t.Fatalf("bench ended: %v\n%s", load.err, load.output())
		case <-time.After(between/2 + time.Duration(rand.Int64N(int64(between)))):
		}
		if rand.IntN(3) == 0 {
			r.Cut(relay.Reset)
		}
		g.kill()
		g = startGateway(g.t, s)
	}
	return g
}

// What is drained is on the array, and write-through takes over; what is written then is there too.
func TestWriteBackIsDrainedAndChangedOnTheFly(t *testing.T) {
	t.Parallel()
	s := writeBack(settings{dir: t.TempDir(), ram: "32MiB"})
	g := startGateway(t, s)
	operate := func(args ...string) {
		command(t, forebay, append(append([]string{"volume"}, args...), "--api", g.api)...)
	}
	load := start(t, forebay, "bench", g.url(), "--verify", "--shared", "--sessions", "4", "--working-set", "64MiB", "--duration", "8s")
	for _, word := range []string{"through", "back", "through", "configured"} {
		operate("policy", "vol1", "--write", word)
		want := map[string]string{"through": "write-through"}[word]
		if want == "" {
			want = "write-back"
		}
		eventually(t, 20*time.Second, word, func() bool { v := g.status().Volumes[0]; return v.Requested == want && v.Effective == want })
	}
	operate("drain", "vol1", "--wait")
	operate("pause-writeback", "vol1", "--ttl", "2s")
	eventually(t, 10*time.Second, "paused", func() bool { return g.status().Volumes[0].Effective == "write-through" })
	eventually(t, 10*time.Second, "on again", func() bool { return g.status().Volumes[0].Effective == "write-back" })
	must(t, "bench", load.wait(time.Minute))
	operate("barrier", "vol1", "--hold", "1s")
	g.stop()
	if info, err := os.Stat(filepath.Join(s.dir, "disk.img")); err != nil || info.Size() == 0 {
		t.Error(err)
	}
}
