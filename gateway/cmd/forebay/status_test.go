package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"forebay/gateway/api"
)

// sample is a gateway with one volume that serves and one whose array is away.
func sample() api.Status {
	since := time.Date(2026, 11, 2, 3, 4, 6, 0, time.Local)
	return api.Status{
		Gateway: api.Gateway{Name: "gw-a", FaultDomain: "rack-1", Version: "v1.2.3", Started: time.Now().Add(-90 * time.Minute), ISCSI: []string{"192.0.2.1:3260", "198.51.100.1:3260"},
			Initiator: "iqn.2026-11.io.forebay:gw-a.0123abcd"},
		Pools: []api.Pool{{Name: "fast", RAMBytes: 4 << 30, RAMUsedBytes: 1536 << 20, Evictions: 12345}},
		Arrays: []api.Array{
			{Name: "disk1", Kind: "file", State: "attached", Bytes: 10 << 40, Identity: "uuid:1"},
			{Name: "san1", Kind: "iscsi", State: "attached", Bytes: 1 << 40, Identity: "naa.6", Unfenced: true},
			{Name: "a-disk-with-a-longer-name", Kind: "file", State: "away", Reason: "/srv/disk.img does not exist"},
		},
		Volumes: []api.Volume{
			{
				Name: "vmstore", Array: "disk1", Pool: "fast", Bytes: 10 << 40, Target: "iqn.a", Requested: "write-through", Effective: "write-through", Sessions: 1,
				Reads: api.Traffic{Operations: 1234567, Bytes: 5, Errors: 1}, Writes: api.Traffic{Operations: 89, Errors: 2}, HitRate: 0.98765,
				Latency: api.Split{VM: api.Percentiles{Count: 9, P50: 12.34, P99: 2500}, Local: api.Percentiles{Count: 1, P50: 0.25, P99: 1.5}},
			},
			{Name: "b", Requested: "write-through", Effective: "suspended", Reason: "array a-disk-with-a-longer-name: /srv/disk.img does not exist"},
		},
		Sessions: []api.Session{
			{Initiator: "iqn.1998-01.com.vmware:esx-1", Target: "iqn.a", Address: "192.0.2.9:51234", Since: since, Commands: 1234656, InFlight: 32},
			{Initiator: "iqn.kvm", Address: "192.0.2.10:40000", Since: since, Commands: 1},
		},
	}
}

const table = `gateway gw-a  domain rack-1  version v1.2.3  up 1h30m0s  iscsi 192.0.2.1:3260 198.51.100.1:3260
known to arrays as iqn.2026-11.io.forebay:gw-a.0123abcd

POOL  RAM      USED     EVICTIONS
fast  4.0 GiB  1.5 GiB  12345

ARRAY                      KIND   STATE               SIZE      REASON
disk1                      file   attached            10.0 TiB  -
san1                       iscsi  attached, unfenced  1.0 TiB   -
a-disk-with-a-longer-name  file   away                -         /srv/disk.img does not exist

VOLUME   SIZE      POLICY         EFFECTIVE      SESSIONS  READS    WRITES  ERRORS  HIT RATE  REASON
vmstore  10.0 TiB  write-through  write-through  1         1234567  89      3       98.8%     -
b        -         write-through  suspended      0         0        0       0       0.0%      array a-disk-with-a-longer-name: /srv/disk.img does not exist

LATENCY (us)  VM p50  p99     LOCAL p50  p99  DATASTORE p50  p99
vmstore       12.3    2500.0  0.2        1.5  -              -
b             -       -       -          -    -              -

INITIATOR                     ADDRESS           TARGET       SINCE                COMMANDS  IN FLIGHT
iqn.1998-01.com.vmware:esx-1  192.0.2.9:51234   iqn.a        2026-11-02 03:04:06  1234656   32
iqn.kvm                       192.0.2.10:40000  (discovery)  2026-11-02 03:04:06  1         0
`

// answering is a gateway of which only the status is there.
func answering(t *testing.T, s api.Status) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/status" {
			t.Errorf("it asks for %s", r.URL.Path)
		}
		_ = json.NewEncoder(w).Encode(s)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestStatusIsThisTable(t *testing.T) {
	out, _, err := run(t, "status", "--api", answering(t, sample()))
	if err != nil || out != table {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestStatusOfAGatewayWithNothing(t *testing.T) {
	out, _, err := run(t, "status", "--api", answering(t, api.Status{Gateway: api.Gateway{Name: "gw-a", Started: time.Now()}}))
	if err != nil || !strings.Contains(out, "iscsi -\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestStatusAsJSONIsWhatTheGatewaySays(t *testing.T) {
	var got, want api.Status
	out, _, err := run(t, "status", "-o", "json", "--api", answering(t, sample()))
	if err != nil {
		t.Fatal(err)
	}
	said, _ := json.Marshal(sample())
	if json.Unmarshal([]byte(out), &got) != nil || json.Unmarshal(said, &want) != nil {
		t.Fatal(out)
	}
	got.Gateway.Started, want.Gateway.Started = time.Time{}, time.Time{} // of two samples
	if !reflect.DeepEqual(got, want) || !bytes.Contains([]byte(out), []byte("\n  \"gateway\": {\n")) {
		t.Errorf("%s", out)
	}
}

func TestStatusFindsTheGatewayByTheEnvironment(t *testing.T) {
	t.Setenv("FOREBAY_API", answering(t, sample()))
	if out, _, err := run(t, "status"); err != nil || out != table {
		t.Errorf("%v\n%s", err, out)
	}
	t.Setenv("FOREBAY_API", "127.0.0.1:1")
	if _, _, err := run(t, "status"); err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1024.0 KiB", 1 << 30: "1.0 GiB", 1 << 50: "1.0 PiB", 1 << 60: "1024.0 PiB",
	} {
		if got := formatBytes(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

const exportTables = `
NFS CLIENT       SINCE                CALLS  IN FLIGHT
192.0.2.9:700    2026-11-02 03:04:06  12345  3
192.0.2.10:1023  2026-11-02 03:04:06  1      0

EXPORT  PROCEDURE  CALLS  NOT OK  p50 (us)  p99
/vms    LOOKUP     100    7       45.0      900.5
/vms    READ       9000   0       -         -
`

func TestStatusShowsExportsAndTheirClients(t *testing.T) {
	s := sample()
	s.Gateway.NFS, s.Gateway.Mount = []string{"192.0.2.1:2049"}, []string{"192.0.2.1:20048"}
	s.Volumes[1].Export, s.Volumes[1].Procedures = "/vms", []api.Procedure{
		{Name: "LOOKUP", Calls: 100, NotOK: 7, Latency: api.Percentiles{Count: 100, P50: 45, P99: 900.5}}, {Name: "READ", Calls: 9000}}
	since := s.Sessions[0].Since
	s.Clients = []api.NFSClient{{Address: "192.0.2.9:700", Since: since, Calls: 12345, InFlight: 3}, {Address: "192.0.2.10:1023", Since: since, Calls: 1}}
	out, _, err := run(t, "status", "--api", answering(t, s))
	if err != nil || !strings.HasSuffix(out, exportTables) || !strings.Contains(out, "\nnfs 192.0.2.1:2049  mount 192.0.2.1:20048\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
