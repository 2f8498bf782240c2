package integration

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"forebay/gateway/bench"
	"forebay/integration/relay"
)

// slowArray is how far away the array of the rows below is.
const slowArray = 2500 * time.Microsecond

// sanRows measure a gateway over tgtd behind a relay that delays by 2.5 ms.
var sanRows = []row{
	{"hits over a 2.5 ms array, both at depth 1", sanCommand("--depth 1"), atLeast(30), func(b *bed) figure { return b.san().hits(1) }},
	{"hits over a 2.5 ms array at depth 16, the array at 1", sanCommand("--depth 16"), atLeast(100), func(b *bed) figure { return b.san().hits(16) }},
	{"misses over a 2.5 ms array, depth 1", sanCommand("--depth 1"), atLeast(0.95), func(b *bed) figure { return b.san().misses(1) }},
	{"misses over a 2.5 ms array, depth 16", sanCommand("--depth 16"), atLeast(0.95), func(b *bed) figure { return b.san().misses(16) }},
	{"write-through over a 2.5 ms array, depth 16", sanCommand("--depth 16 --read 0"), nil, func(b *bed) figure { return b.san().writes(16) }},
	{"initiator alone on tgtd beside iscsi-perf, 4K read, depth 32", "forebay bench TGTD-URL --depth 32; iscsi-perf -r -b 8 -m 32 -t 3 TGTD-URL", nil, initiatorAlone},
	{"initiator alone on tgtd beside qemu-img bench, 4K read, depth 32", "forebay bench TGTD-URL --mode seq --depth 32; qemu-img bench -f raw -t none -c 100000 -d 32 -s 4096 TGTD-URL", nil, initiatorBesideQemu},
}

func sanCommand(load string) string {
	return "forebay bench URL --vs RELAY-URL --block-size 4KiB " + load
}

// san is an array 2.5 ms away, and two gateways over a LUN of it each: all of one is cached, next to nothing of the other.
type san struct {
	b            *bed
	cached, cold *gatewayProcess
	direct       string // URL of a third LUN, through the relay
}

func (b *bed) san() *san {
	if b.slow != nil {
		return b.slow
	}
	a := startTgtd(b.t, tgtdOptions{size: 64 << 20, luns: 3, writeCache: true})
	r := startRelay(b.t, a.portal, relay.Options{})
	b.slow = &san{b: b,
		cached: startGateway(b.t, settings{ram: "128MiB", array: a.over(r.Addr()), lun: 1}),
		cold:   startGateway(b.t, settings{ram: "1MiB", array: a.over(r.Addr()), lun: 2}),
		direct: strings.Replace(a.url(3), a.portal, r.Addr(), 1),
	}
	command(b.t, forebay, "bench", b.slow.cached.url(), "--mode", "seq", "--block-size", "64KiB", "--warm-up", "--duration", "1s")
	r.Delay(relay.ToServer, slowArray)
	return b.slow
}

// hits compares hits at a depth with the array itself at depth 1, which is what a guest that waits for each block gets.
func (s *san) hits(depth int) figure {
	return s.turns(s.cached.url(), fmt.Sprintf("--depth %d", depth), "--depth 1")
}

func (s *san) misses(depth int) figure {
	load := fmt.Sprintf("--depth %d", depth)
	return s.turns(s.cold.url(), load, load)
}

func (s *san) writes(depth int) figure {
	load := fmt.Sprintf("--depth %d --read 0", depth)
	return s.turns(s.cold.url(), load, load)
}

// turns measures a gateway and the array reached directly.
func (s *san) turns(url, load, direct string) figure {
	return s.b.besideDirect(url, load, s.direct, direct)
}

// besideDirect measures one URL under a load, and another under one of its own.
func (b *bed) besideDirect(url, load, other, otherLoad string) figure {
	return b.inTurns(func() float64 { return b.alone(url, load).IOPS }, func() float64 { return b.alone(other, otherLoad).IOPS })
}

// alone drives one target for a turn.
func (b *bed) alone(url, load string) bench.Report {
	b.t.Helper()
	args := append([]string{"bench", url, "--duration", benchTurn.String(), "--json"}, strings.Fields(load)...)
	out, err := exec.Command(forebay, args...).Output()
	var r bench.Report
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		b.t.Fatalf("bench %s %s: %v\n%s", url, load, err, out)
	}
	return r
}

// initiatorAlone drives tgtd with our initiator and with libiscsi's.
func initiatorAlone(b *bed) figure {
	return b.inTurns(func() float64 { return b.alone(b.peer, hit32).IOPS }, func() float64 { return b.perf(b.peer) })
}

func initiatorBesideQemu(b *bed) figure {
	return b.inTurns(func() float64 { return b.alone(b.peer, "--mode seq "+hit32).IOPS }, func() float64 { return b.qemu(b.peer) })
}

// digests drives the gateway alone: tgtd offers none unless it is told to.
func digests(b *bed) figure {
	r := b.alone(b.gateway.url(), hit32+" --digests --pid "+strconv.Itoa(b.gateway.cmd.Process.Pid))
	if r.CPU == nil {
		b.t.Fatal("bench tells no CPU time")
	}
	return figure{ours: iops(r.IOPS), value: *r.CPU, unit: "us"}
}
