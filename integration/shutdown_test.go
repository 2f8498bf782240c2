package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestShutdownEndsInOrderWhileABenchRuns(t *testing.T) {
	g := startGateway(t, settings{})
	load := start(t, forebay, "bench", g.url(), "--block-size", "4KiB", "--read", "50", "--depth", "16", "--duration", "60s", "--working-set", "32MiB")
	eventually(t, 20*time.Second, "a session with commands", func() bool {
		s := g.status()
		return len(s.Sessions) > 0 && s.Sessions[0].Commands > 1000
	})
	g.stop()
	if err := load.wait(20 * time.Second); err == nil {
		t.Error("bench did not say that its target went away")
	}
	g.waitFor(time.Second, `"message":"ended"`)
}

func TestStatusAndMetricsTellWhatClientsSaw(t *testing.T) {
	g := startGateway(t, settings{})
	command(t, forebay, "bench", g.url(), "--block-size", "4KiB", "--read", "70", "--depth", "8", "--duration", "2s", "--working-set", "16MiB")
	v := g.status().Volumes[0]
	if v.Reads.Operations == 0 || v.Writes.Operations == 0 || v.HitRate <= 0 || v.Latency.VM.P50 <= 0 || v.Latency.Local.P50 <= 0 || v.Latency.Datastore.P50 <= 0 {
		t.Errorf("the status tells too little: %+v", v)
	}
	table := command(t, forebay, "status", "--api", "http://"+g.api)
	for _, word := range []string{"vol1", "disk1", "attached", "write-through", "HIT RATE"} {
		if !strings.Contains(table, word) {
			t.Errorf("the table lacks %q:\n%s", word, table)
		}
	}
	var fromTool struct{ Volumes []struct{ Name string } }
	if err := json.Unmarshal([]byte(command(t, forebay, "status", "-o", "json", "--api", "http://"+g.api)), &fromTool); err != nil || len(fromTool.Volumes) != 1 {
		t.Errorf("-o json: %v, %+v", err, fromTool)
	}
	metrics := get(t, "http://"+g.api+"/metrics")
	for _, name := range []string{"forebay_volume_read_operations_total", "forebay_volume_hit_blocks_total", "forebay_volume_latency_seconds", "forebay_pool_ram_used_bytes"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
}

func TestReadyzSaysWhenTheGatewayServes(t *testing.T) {
	g := startGateway(t, settings{})
	resp, err := http.Get("http://" + g.api + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %s", resp.Status)
	}
}
