package gateway

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/configs"
)

// A flash tier may be written to once a day as a whole, and begins with an hour's worth: what is read beyond that is not admitted. The status and the metrics say so.
func TestAFlashTierIsNotWrittenBeyondItsBudget(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	g := &Gateway{config: &configs.Config{}, pools: map[string]*pool{"fast": l.pool}, disks: []*disk{l.disk}}
	if err := l.volume().Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for block := range int64(8 * mib / 4096) {
			l.read(block)
		}
		l.pool.store.Drop(1, 0, 8*mib/4096)
	}
	const most = 64 * mib / 24
	s := g.flashStatus("fast")
	if s.WriteBudget != 64*mib || s.WrittenBytes > most*11/10 || s.RefusedBlocks == 0 || s.AdmittedBlocks == 0 {
		t.Errorf("%+v", s)
	}
	if s.State != flashOK || s.UsedBytes == 0 || s.UsedBytes > s.Bytes || s.Bytes < 48*mib || s.Bytes > 64*mib || s.IndexBytes == 0 {
		t.Errorf("%+v", s)
	}
	if want := float64(s.HitBlocks) / float64(s.HitBlocks+s.MissedBlocks); s.HitBlocks == 0 || s.MissedBlocks == 0 || s.HitRate != want {
		t.Errorf("the hit rate is %v, not %v; %+v", s.HitRate, want, s)
	}
	metrics := flashMetrics(t, g)
	later := g.flashStatus("fast") // the device is written to beside
	for name, want := range map[string][2]float64{"ready": {1, 1}, "bytes": {float64(s.Bytes), float64(s.Bytes)}, "used_bytes": {float64(s.UsedBytes), float64(later.UsedBytes)},
		"index_bytes": {float64(s.IndexBytes), float64(later.IndexBytes)}, "write_budget_bytes": {64 * mib, 64 * mib},
		"hit_blocks_total": {float64(s.HitBlocks), float64(s.HitBlocks)}, "missed_blocks_total": {float64(s.MissedBlocks), float64(s.MissedBlocks)},
		"mismatched_blocks_total": {}, "admitted_blocks_total": {float64(s.AdmittedBlocks), float64(later.AdmittedBlocks)},
		"refused_blocks_total": {float64(s.RefusedBlocks), float64(later.RefusedBlocks)}, "written_bytes_total": {float64(s.WrittenBytes), float64(later.WrittenBytes)}} {
		if got, ok := metrics["pool_flash_"+name+" fast"]; !ok || got < want[0] || got > want[1] {
			t.Errorf("%s is %v (%v), not %v", name, got, ok, want)
		}
	}
	if err := g.RemoveFlash(context.Background(), "fast"); err != nil {
		t.Fatal(err)
	}
	if s := g.flashStatus("fast"); s.State != flashRemoved || s.Reason == "" {
		t.Errorf("%+v", s)
	}
	if metrics := flashMetrics(t, g); metrics["pool_flash_ready fast"] != 0 {
		t.Error("it is ready when it has been removed")
	}
}

// flashMetrics are those of the pool alone.
func flashMetrics(t *testing.T, g *Gateway) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectorFunc(func(to chan<- prometheus.Metric) { g.collectFlash(to, "fast") }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return values(families)
}

type collectorFunc func(to chan<- prometheus.Metric)

func (f collectorFunc) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(f, to) }
func (f collectorFunc) Collect(to chan<- prometheus.Metric) { f(to) }

// A tier that the configuration makes larger, or smaller, keeps what it has where that fits.
func TestAFlashTierIsFittedToItsDevice(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	before := l.pool.flash.status().Bytes
	l.end()
	for _, size := range []configs.Size{96 * mib, 48 * mib} {
		l.tier.Flash = &configs.Media{Path: l.tier.Flash.Path, Size: size}
		l.begin()
		if got := l.pool.flash.status().Bytes; (got > before) != (size > 64*mib) || got == before || got > int64(size) {
			t.Errorf("of %v it uses %d bytes, %d before", size, got, before)
		}
		if size > 64*mib && !l.warm(3) {
			t.Error("it begins anew")
		}
		l.end()
	}
}
