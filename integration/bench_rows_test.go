package integration

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"forebay/gateway/bench"
)

// benchRows are the table. A new row is a new entry.
var benchRows = []row{
	{"4K random read hit, depth 32, iscsi-perf", "iscsi-perf -r -b 8 -m 32 -t 3 URL", atLeast(2), perf},
	{"4K random read hit, depth 32, forebay bench", versusCommand(hit32), nil, versusIOPS(hit32)},
	{"CPU of the serving process, 4K read hit, us", versusCommand(hit32), atMost(6), versusCPU(hit32)},
	{"4K read hit with digests, depth 32, CPU us", "forebay bench URL --pid PID --digests " + hit32, nil, digests},
	{"4K read hit, depth 1, p50 us", versusCommand(hit1), nil, versusP50(hit1)},
	{"64K sequential read hit, depth 16", versusCommand(seq64), nil, versusIOPS(seq64)},
	{"1M sequential read hit, depth 8", versusCommand(seq1M), nil, versusIOPS(seq1M)},
	{"4K read, depth 32, qemu-img bench", "qemu-img bench -f raw -t none -c 100000 -d 32 -s 4096 URL", nil, qemuBench},
	{"4K random write-through, depth 32", versusCommand(write32), nil, versusIOPS(write32)},
	{"RAM index, bytes per cached 4 KiB", "curl /metrics: forebay_pool_index_bytes by forebay_pool_ram_bytes", atMost(40), indexBytes},
	{"heap allocations per hit", "curl /metrics: go_memstats_mallocs_total by forebay_volume_read_operations_total, over a bench, less those of as long without", atMost(0.001), mallocsPerHit},
	{"full GC with 16 GiB cached, ms", "go test -run TestBench ./integration (runtime.GC over a store of 16 GiB)", atMost(10), fullGC},
}

// The workloads.
const (
	hit32   = "--depth 32 --block-size 4KiB"
	hit1    = "--depth 1 --block-size 4KiB"
	seq64   = "--mode seq --depth 16 --block-size 64KiB"
	seq1M   = "--mode seq --depth 8 --block-size 1MiB"
	write32 = "--depth 32 --block-size 4KiB --read 0"
)

const benchTurn = 3 * time.Second // of each target in each round

func versusCommand(load string) string {
	return "forebay bench URL --vs TGTD-URL --pid PID --vs-pid TGTD-PID " + load
}

// pair is a gateway's URL and a peer's, with the processes behind them.
type pair struct {
	ours, theirs       string
	oursPID, theirsPID int
}

// versus drives a gateway and tgtd in turns.
func (b *bed) versus(load string) bench.Report {
	return b.drive(pair{b.gateway.url(), b.peer, b.gateway.cmd.Process.Pid, b.tgtd.cmd.Process.Pid}, load)
}

// drive drives both in turns.
func (b *bed) drive(p pair, load string) bench.Report {
	b.t.Helper()
	args := []string{"bench", p.ours, "--vs", p.theirs, "--pid", strconv.Itoa(p.oursPID), "--vs-pid", strconv.Itoa(p.theirsPID),
		"--rounds", strconv.Itoa(benchRounds), "--duration", (2 * benchRounds * benchTurn).String(), "--json"}
	out, err := exec.Command(forebay, append(args, strings.Fields(load)...)...).Output()
	if err != nil {
		b.t.Fatalf("bench %s: %v", load, err)
	}
	var r bench.Report
	if err := json.Unmarshal(out, &r); err != nil || r.Versus == nil {
		b.t.Fatalf("bench %s: %v\n%s", load, err, out)
	}
	return r
}

func versusIOPS(load string) func(*bed) figure {
	return func(b *bed) figure { return iopsOf(b.versus(load)) }
}

func iopsOf(r bench.Report) figure {
	return figure{iops(r.IOPS), iops(r.Versus.IOPS), r.Versus.IOPSRatio, "x"}
}

func versusP50(load string) func(*bed) figure {
	return func(b *bed) figure {
		r := b.versus(load)
		return figure{fmt.Sprintf("%.1f", r.All.P50), fmt.Sprintf("%.1f", r.Versus.All.P50), r.Versus.P50Ratio, "x"}
	}
}

func versusCPU(load string) func(*bed) figure {
	return func(b *bed) figure { return b.cpuOf(b.versus(load)) }
}

func (b *bed) cpuOf(r bench.Report) figure {
	b.t.Helper()
	if r.CPU == nil || r.Versus.CPU == nil {
		b.t.Fatal("bench tells no CPU time")
	}
	return figure{fmt.Sprintf("%.2f", *r.CPU), fmt.Sprintf("%.2f", *r.Versus.CPU), *r.CPU, "us"}
}

func iops(v float64) string { return fmt.Sprintf("%.0f IOPS", v) }

// turns calls f for both targets in turns.
func (b *bed) turns(f func(url string) float64) figure {
	return b.inTurns(func() float64 { return f(b.gateway.url()) }, func() float64 { return f(b.peer) })
}

// inTurns measures two things in turns, and returns the medians and that of the ratios.
func (b *bed) inTurns(ours, theirs func() float64) figure {
	var x, y, ratios []float64
	for i := range benchRounds {
		x, y = append(x, ours()), append(y, theirs())
		ratios = append(ratios, x[i]/y[i])
	}
	return figure{iops(middle(x)), iops(middle(y)), middle(ratios), "x"}
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

var perfAverage = regexp.MustCompile(`iops average (\d+)`)

// perf is libiscsi's iscsi-perf, which says its average again and again.
func (b *bed) perf(url string) float64 {
	b.t.Helper()
	found := perfAverage.FindAllStringSubmatch(command(b.t, "iscsi-perf", "-r", "-b", "8", "-m", "32", "-t", "3", url), -1)
	if len(found) == 0 {
		b.t.Fatal("iscsi-perf tells no average")
	}
	return number(b.t, found[len(found)-1][1])
}

func perf(b *bed) figure { return b.turns(b.perf) }

var qemuSeconds = regexp.MustCompile(`completed in ([\d.]+) seconds`)

// qemu is qemu-img bench: sequential reads, or what more says.
func (b *bed) qemu(url string, more ...string) float64 {
	b.t.Helper()
	const count = 100000
	args := append([]string{"bench", "-f", "raw", "-t", "none", "-c", strconv.Itoa(count), "-d", "32", "-s", "4096"}, more...)
	found := qemuSeconds.FindStringSubmatch(command(b.t, "qemu-img", append(args, url)...))
	if found == nil {
		b.t.Fatal("qemu-img bench tells no time")
	}
	return count / number(b.t, found[1])
}

func qemuBench(b *bed) figure { return b.turns(func(url string) float64 { return b.qemu(url) }) }

func indexBytes(b *bed) figure {
	v := b.gateway.metric(`forebay_pool_index_bytes{pool="fast"}`) / (b.gateway.metric(`forebay_pool_ram_bytes{pool="fast"}`) / 4096)
	return figure{ours: fmt.Sprintf("%.1f", v), value: v, unit: "B"}
}

// mallocsPerHit counts all that the process allocates while it answers hits: logging in, the scrapes themselves and timers included.
// mallocsPerHit takes off what the process allocates in the same time while it serves nobody.
func mallocsPerHit(b *bed) figure {
	const during = 10 * time.Second
	count := func() (mallocs, reads float64) {
		return b.gateway.metric("go_memstats_mallocs_total"), b.gateway.metric(`forebay_volume_read_operations_total{volume="vol1"}`)
	}
	idle, _ := count()
	time.Sleep(during)
	m0, r0 := count()
	command(b.t, forebay, "bench", b.gateway.url(), "--depth", "32", "--duration", during.String())
	m1, r1 := count()
	idle = m0 - idle
	return figure{ours: fmt.Sprintf("%.0f in %.0f hits, %.0f without any", m1-m0, r1-r0, idle), value: max(0, m1-m0-idle) / (r1 - r0)}
}
