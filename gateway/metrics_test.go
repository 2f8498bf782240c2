package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"forebay/cachecore/stats"
	"forebay/configs"
)

func gather(t *testing.T, g *Gateway) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{g})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// The names are an interface: dashboards and alerts are made of them.
const metricNames = `
forebay_array_attached GAUGE
forebay_array_read_bytes_total COUNTER
forebay_array_read_operations_total COUNTER
forebay_array_write_bytes_total COUNTER
forebay_array_write_operations_total COUNTER
forebay_iscsi_sessions GAUGE
forebay_nfs_connections GAUGE
forebay_pool_evicted_blocks_total COUNTER
forebay_pool_index_bytes GAUGE
forebay_pool_inserted_blocks_total COUNTER
forebay_pool_ram_bytes GAUGE
forebay_pool_ram_pinned_bytes GAUGE
forebay_pool_ram_used_bytes GAUGE
forebay_volume_hit_blocks_total COUNTER
forebay_volume_latency_seconds HISTOGRAM
forebay_volume_missed_blocks_total COUNTER
forebay_volume_read_bytes_total COUNTER
forebay_volume_read_errors_total COUNTER
forebay_volume_read_operations_total COUNTER
forebay_volume_ready GAUGE
forebay_volume_size_bytes GAUGE
forebay_volume_write_bytes_total COUNTER
forebay_volume_write_errors_total COUNTER
forebay_volume_write_operations_total COUNTER
`

func TestMetricsHaveTheirNamesAndPassTheLinter(t *testing.T) {
	families := gather(t, still(t))
	names := "\n"
	for _, f := range families {
		names += fmt.Sprintln(f.GetName(), f.GetType())
	}
	if names != metricNames {
		t.Errorf("the names are:%s", names)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// values flattens what is no histogram: by name and the values of its labels.
func values(families []*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			all[strings.TrimPrefix(key, "forebay_")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

func TestMetricsTellWhatWasCounted(t *testing.T) {
	got := values(gather(t, still(t)))
	for key, want := range map[string]float64{
		"volume_read_operations_total vol1": 3, "volume_read_bytes_total vol1": 12288, "volume_read_errors_total vol1": 1,
		"volume_write_operations_total vol1": 1, "volume_write_bytes_total vol1": 512, "volume_write_errors_total vol1": 0,
		"volume_hit_blocks_total vol1": 9, "volume_missed_blocks_total vol1": 3,
		"array_read_operations_total san1": 1, "array_read_bytes_total san1": 65536,
		"array_write_operations_total san1": 2, "array_write_bytes_total san1": 512,
		"volume_size_bytes vol1": 8 * mib, "volume_ready vol1": 1, "array_attached san1": 1,
		"volume_size_bytes vol2": 0, "volume_ready vol2": 0, "array_attached san2": 0, "volume_read_operations_total vol2": 0,
		"pool_ram_bytes fast": mib, "pool_ram_used_bytes fast": 0, "iscsi_sessions": 0,
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v (%v), not %v; there are %q", key, value, ok, want, slices.Sorted(maps.Keys(got)))
		}
	}
}

// Several volumes are over LUNs of one array, or export one: a name may be told once, or a scrape fails as a whole.
func TestMetricsOfAnArrayAreOfAllItsVolumes(t *testing.T) {
	g := still(t)
	g.disks[1].attachment.name = "san1"
	countSome(g.disks[1].stats)
	f := newFiler("nas", "memory", nil, g.log)
	g.filers["nas"] = f
	for _, name := range []string{"one", "two"} {
		x := &share{config: configs.Volume{Name: name}, filer: f, stats: new(stats.Volume), procedures: new(procedures)}
		countSome(x.stats)
		g.shares = append(g.shares, x)
	}
	expect := func(want map[string]float64) {
		t.Helper()
		got := values(gather(t, g))
		for key, want := range want {
			if value, ok := got[key]; !ok || value != want {
				t.Errorf("%s is %v (%v), not %v", key, value, ok, want)
			}
		}
	}
	expect(map[string]float64{
		"array_read_operations_total san1": 2, "array_write_operations_total san1": 4, "array_read_bytes_total san1": 131072, "array_write_bytes_total san1": 1024,
		"array_read_operations_total nas": 2, "array_write_bytes_total nas": 1024, "array_attached nas": 0,
		"volume_read_operations_total vol1": 3, "volume_read_operations_total vol2": 3, "array_attached san1": 0,
	})
	attachByHand(t, g.disks[1])
	expect(map[string]float64{"array_attached san1": 1})
	if err := g.disks[1].close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLatencyHistogramsAreCumulative(t *testing.T) {
	for _, f := range gather(t, still(t)) {
		if f.GetName() != "forebay_volume_latency_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			path, volume := m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetValue()
			h, want := m.GetHistogram(), map[string][2]uint64{"vm": {1, 4}, "local": {1, 1}, "datastore": {0, 3}}[path]
			if volume == "vol2" {
				want = [2]uint64{}
			}
			below, last := uint64(0), uint64(0) // of 500 us
			for _, b := range h.GetBucket() {
				if b.GetCumulativeCount() < last {
					t.Errorf("%s %s: fewer below %v than below the bound before", volume, path, b.GetUpperBound())
				}
				if last = b.GetCumulativeCount(); b.GetUpperBound() <= 500e-6 {
					below = last
				}
			}
			if below != want[0] || h.GetSampleCount() != want[1] || last != want[1] {
				t.Errorf("%s %s: %d below 500 us, %d below 10 s, %d in all", volume, path, below, last, h.GetSampleCount())
			}
		}
	}
}
