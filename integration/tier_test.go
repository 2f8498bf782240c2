package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// resident is what a process has of memory in bytes.
func (p *process) resident() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	must(p.t, "its memory", err)
	var size, pages int64
	_, err = fmt.Sscan(string(text), &size, &pages)
	must(p.t, "its memory", err)
	return pages * int64(os.Getpagesize())
}

// The RAM of a pool is changed over and over beside readers and writers: no request fails, no read sees what a write has replaced, and memory that is
// taken away is given back.
func TestRAMIsResizedBesideReadersAndWriters(t *testing.T) {
	t.Parallel()
	long := 6 * time.Second
	if soak() {
		long = time.Minute
	}
	array, _ := folder(t)
	for name, c := range map[string]struct {
		settings settings
		url      func(*gatewayProcess) string
	}{
		"iSCSI": {settings{}, (*gatewayProcess).url},
		"NFS":   {settings{array: array, export: "squash: none"}, func(g *gatewayProcess) string { return g.file("verified") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, c.settings) // with 64 MiB
			resize := func(size string) { command(t, forebay, "tier", "ram", "fast", "--api", g.api, "--size", size) }
			args := []string{"bench", c.url(g), "--verify", "--shared", "--sessions", "4", "--depth", "8", "--read", "80", "--working-set", "192MiB", "--duration", long.String()}
			if c.settings.export != "" {
				args = append(args, "--create")
			}
			load := start(t, forebay, args...)
			resizes := 0
			for running := true; running; resizes++ {
				select {
				case <-load.done:
					running = false
				default:
					resize(fmt.Sprintf("%dMiB", 16+rand.IntN(400)))
				}
			}
			must(t, "bench", load.wait(time.Minute))
			if v := g.status().Volumes[0]; v.Reads.Errors+v.Writes.Errors > 0 || v.HitRate == 0 {
				t.Errorf("%+v", v)
			}
			if resizes < 5 {
				t.Errorf("%d resizes only", resizes)
			}
			t.Logf("%d resizes\n%s", resizes, load.output())

			resize("256MiB")
			command(t, forebay, "bench", c.url(g), "--mode", "seq", "--block-size", "64KiB", "--working-set", "192MiB", "--sessions", "1", "--duration", "3s")
			full, used := g.resident(), g.status().Pools[0].RAMUsedBytes
			resize("16MiB")
			if now := g.resident(); full-now < used-32<<20 || used < 64<<20 {
				t.Errorf("%d bytes of %d that had %d cached are left", now, full, used)
			}
			if p := g.status().Pools[0]; p.RAMBytes != 16<<20 || p.RAMUsedBytes > p.RAMBytes {
				t.Errorf("the status says %+v", p)
			}
			if !strings.Contains(get(t, "http://"+g.api+"/metrics"), `forebay_pool_ram_bytes{pool="fast"} 1.6777216e+07`) {
				t.Error("the metrics don't tell the size")
			}
			for _, size := range []string{"1MiB", "100TiB"} {
				out, err := exec.Command(forebay, "tier", "ram", "fast", "--api", g.api, "--size", size).CombinedOutput()
				if err == nil || !strings.Contains(string(out), "it can be from 16MiB to") {
					t.Errorf("%s: %v: %s", size, err, out)
				}
			}
		})
	}
}
