package integration

import (
	"testing"
)

// Eight sessions overlap on blocks of a working set four times the RAM tier, so that every block is filled, written, merged and
// evicted again and again; each read must return a version that was not overwritten before it was sent.
func TestSharedVerifyFindsNoWrongBlock(t *testing.T) {
	t.Parallel()
	duration := "20s"
	if soak() {
		duration = "15m"
	}
	g := startGateway(t, settings{ram: "32MiB", disk: "256MiB"})
	out := command(t, forebay, "bench", g.url(), "--verify", "--shared", "--sessions", "8", "--depth", "8", "--read", "60",
		"--working-set", "128MiB", "--duration", duration)
	v := g.status().Volumes[0]
	if v.Reads.Errors+v.Writes.Errors > 0 {
		t.Errorf("errors on the way: %+v", v)
	}
	if e := g.status().Pools[0].Evictions; e == 0 {
		t.Error("nothing was evicted: the working set was not larger than the tier")
	}
	t.Log(out)
}
