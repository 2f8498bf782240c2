package gateway

import (
	"reflect"
	"testing"

	"forebay/gateway/api"
)

func TestStatusTellsWhatThereIs(t *testing.T) {
	g := still(t)
	g.listeners.up(g.listeners.add(serviceISCSI, "127.0.0.1:0"), "127.0.0.1:4711")
	g.listeners.add(serviceISCSI, "192.0.2.1:3260")
	s := g.Status()
	if got := s.Gateway; got.Name != "gw-a" || got.FaultDomain != "rack-1" || got.Version != "v1.2.3" || got.Started != g.started ||
		len(got.ISCSI) != 1 || got.ISCSI[0] != "127.0.0.1:4711" {
		t.Errorf("%+v", got)
	}
	if len(s.Pools) != 1 || s.Pools[0] != (api.Pool{Name: "fast", RAMBytes: mib}) {
		t.Errorf("%+v", s.Pools)
	}
	if len(s.Arrays) != 2 || s.Arrays[0] != (api.Array{Name: "san1", Kind: "mem", State: "attached", Bytes: 8 * mib, Identity: "uuid:1"}) ||
		s.Arrays[1] != (api.Array{Name: "san2", Kind: "mem", State: "away", Reason: "not attached yet"}) {
		t.Errorf("%+v", s.Arrays)
	}
	if s.Sessions == nil || len(s.Sessions) != 0 {
		t.Errorf("%+v", s.Sessions)
	}
	if len(s.Volumes) != 2 {
		t.Fatalf("%+v", s.Volumes)
	}
	away := api.Volume{Name: "vol2", Array: "san2", Pool: "fast", Target: "iqn.2026-11.example:vol1", LUN: 1, NAA: "62010000000000000000000000000000",
		Requested: "write-through", Effective: "suspended", Reason: "array san2: not attached yet"}
	if !reflect.DeepEqual(s.Volumes[1], away) {
		t.Errorf("%+v", s.Volumes[1])
	}
	if v := s.Volumes[0]; v.Effective != "write-through" || v.Reason != "" || v.Bytes != 8*mib || v.NAA[:2] != "62" {
		t.Errorf("%+v", v)
	}
}

func TestStatusTellsWhatWasCounted(t *testing.T) {
	v := still(t).Status().Volumes[0]
	if v.Reads != (api.Traffic{Operations: 3, Bytes: 12288, Errors: 1}) || v.Writes != (api.Traffic{Operations: 1, Bytes: 512}) || v.HitRate != 0.75 {
		t.Errorf("%+v, %+v, %v", v.Reads, v.Writes, v.HitRate)
	}
	for name, c := range map[string]struct {
		got      api.Percentiles
		count    uint64
		p50, p99 float64 // microseconds
	}{
		"vm":        {v.Latency.VM, 4, 3000, 1e6},
		"local":     {v.Latency.Local, 1, 1, 1},
		"datastore": {v.Latency.Datastore, 3, 2000, 2500},
	} {
		near := func(got, want float64) bool { return got > 0.9*want && got < 1.1*want }
		if c.got.Count != c.count || !near(c.got.P50, c.p50) || !near(c.got.P99, c.p99) {
			t.Errorf("%s: %+v", name, c.got)
		}
	}
}

func TestReadyNamesEveryVolumeAndAddressThatIsNot(t *testing.T) {
	g := still(t)
	at := g.listeners.add(serviceISCSI, "192.0.2.1:3260")
	says(t, g.Ready(), "volume vol2: not attached yet", "iscsi 192.0.2.1:3260: not listened on yet")
	g.listeners.up(at, "192.0.2.1:3260")
	g.listeners.down(at, "taken")
	says(t, g.Ready(), "iscsi 192.0.2.1:3260: taken")
	g.listeners.up(at, "192.0.2.1:3260")
	attachByHand(t, g.disks[1])
	if err := g.Ready(); err != nil {
		t.Error(err)
	}
	g.disks[1].setReady(false)
	says(t, g.Ready(), "volume vol2: being attached")
}
