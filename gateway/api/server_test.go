package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/gateway/api"
)

// source answers what a test gives it.
type source struct {
	status   api.Status
	ready    error
	operated *[]string
	refuses  error
}

func (s source) Status() api.Status { return s.status }
func (s source) Ready() error       { return s.ready }

// sample has something in every field.
var sample = api.Status{
	Gateway: api.Gateway{Name: "gw-a", FaultDomain: "rack-1", Version: "v1.2.3", Started: time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC), ISCSI: []string{"127.0.0.1:3260"}, NFS: []string{"127.0.0.1:2049"}, Mount: []string{}, Initiator: "iqn.2026-11.io.forebay:gw-a.0123abcd"},
	Pools: []api.Pool{{Name: "fast", RAMBytes: 1 << 30, RAMUsedBytes: 4096, RAMPinnedBytes: 8192, Evictions: 3, Flash: &api.Flash{State: "failed", Reason: "gone", Bytes: 21, UsedBytes: 22, IndexBytes: 23, HitRate: 0.25, HitBlocks: 24,
		MissedBlocks: 25, MismatchedBlocks: 26, AdmittedBlocks: 27, RefusedBlocks: 28, WrittenBytes: 29, WriteBudget: 30}}},
	Arrays: []api.Array{{Name: "disk1", Kind: "file", State: "away", Reason: "gone", Bytes: 1 << 20, Identity: "uuid:1"}},
	Volumes: []api.Volume{{
		Name: "vol1", Array: "disk1", Pool: "fast", Bytes: 1 << 20, Target: "iqn.a", LUN: 1, NAA: "62", Requested: "write-through", Effective: "suspended",
		Reason: "array disk1: gone", Sessions: 1, Reads: api.Traffic{Operations: 1, Bytes: 2, Errors: 3}, Writes: api.Traffic{Operations: 4, Bytes: 5, Errors: 6},
		HitRate: 0.5, Latency: api.Split{VM: api.Percentiles{Count: 7, P50: 8, P99: 9}},
		Export: "/vms", Procedures: []api.Procedure{{Name: "READ", Calls: 11, NotOK: 12, Latency: api.Percentiles{Count: 13, P50: 14, P99: 15}}},
	}},
	Sessions: []api.Session{{Initiator: "iqn.esx", Target: "iqn.a", Address: "127.0.0.1:5", Since: time.Date(2026, 11, 2, 3, 4, 6, 0, time.UTC), Commands: 10, InFlight: 2}},
	Clients:  []api.NFSClient{{Address: "127.0.0.1:6", Since: time.Date(2026, 11, 2, 3, 4, 7, 0, time.UTC), Calls: 16, InFlight: 3}},
}

const sampleJSON = `{
  "gateway": {
    "name": "gw-a",
    "faultDomain": "rack-1",
    "version": "v1.2.3",
    "started": "2026-11-02T03:04:05Z",
    "iscsi": [
      "127.0.0.1:3260"
    ],
    "nfs": [
      "127.0.0.1:2049"
    ],
    "mount": [],
    "initiator": "iqn.2026-11.io.forebay:gw-a.0123abcd"
  },
  "pools": [
    {
      "name": "fast",
      "ramBytes": 1073741824,
      "ramUsedBytes": 4096,
      "ramPinnedBytes": 8192,
      "evictions": 3,
      "flash": {
        "state": "failed",
        "reason": "gone",
        "bytes": 21,
        "usedBytes": 22,
        "indexBytes": 23,
        "hitRate": 0.25,
        "hitBlocks": 24,
        "missedBlocks": 25,
        "mismatchedBlocks": 26,
        "admittedBlocks": 27,
        "refusedBlocks": 28,
        "writtenBytes": 29,
        "writeBudget": 30
      }
    }
  ],
  "arrays": [
    {
      "name": "disk1",
      "kind": "file",
      "state": "away",
      "reason": "gone",
      "bytes": 1048576,
      "identity": "uuid:1"
    }
  ],
  "volumes": [
    {
      "name": "vol1",
      "array": "disk1",
      "pool": "fast",
      "bytes": 1048576,
      "target": "iqn.a",
      "lun": 1,
      "naa": "62",
      "export": "/vms",
      "requested": "write-through",
      "effective": "suspended",
      "reason": "array disk1: gone",
      "sessions": 1,
      "reads": {
        "operations": 1,
        "bytes": 2,
        "errors": 3
      },
      "writes": {
        "operations": 4,
        "bytes": 5,
        "errors": 6
      },
      "hitRate": 0.5,
      "latency": {
        "vm": {
          "count": 7,
          "p50Microseconds": 8,
          "p99Microseconds": 9
        },
        "local": {
          "count": 0,
          "p50Microseconds": 0,
          "p99Microseconds": 0
        },
        "datastore": {
          "count": 0,
          "p50Microseconds": 0,
          "p99Microseconds": 0
        }
      },
      "procedures": [
        {
          "name": "READ",
          "calls": 11,
          "notOK": 12,
          "latency": {
            "count": 13,
            "p50Microseconds": 14,
            "p99Microseconds": 15
          }
        }
      ]
    }
  ],
  "sessions": [
    {
      "initiator": "iqn.esx",
      "target": "iqn.a",
      "address": "127.0.0.1:5",
      "since": "2026-11-02T03:04:06Z",
      "commands": 10,
      "inFlight": 2
    }
  ],
  "clients": [
    {
      "address": "127.0.0.1:6",
      "since": "2026-11-02T03:04:07Z",
      "calls": 16,
      "inFlight": 3
    }
  ]
}
`

func ask(s source, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	api.Handler(s, prometheus.NewRegistry()).ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w
}

// The keys are an interface: scripts read them.
func TestStatusIsThisJSON(t *testing.T) {
	w := ask(source{status: sample}, http.MethodGet, "/api/v1/status")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Error(w.Code, w.Header())
	}
	if w.Body.String() != sampleJSON {
		t.Errorf("%s", w.Body)
	}
}

func TestVolumesAreListedAndFoundByName(t *testing.T) {
	var list []api.Volume
	w := ask(source{status: sample}, http.MethodGet, "/api/v1/volumes")
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], sample.Volumes[0]) {
		t.Errorf("%v, %+v", err, list)
	}
	var one api.Volume
	w = ask(source{status: sample}, http.MethodGet, "/api/v1/volumes/vol1")
	if err := json.Unmarshal(w.Body.Bytes(), &one); err != nil || !reflect.DeepEqual(one, sample.Volumes[0]) {
		t.Errorf("%v, %+v", err, one)
	}
	if w := ask(source{status: api.Status{Volumes: []api.Volume{}}}, http.MethodGet, "/api/v1/volumes"); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("no volumes are %q", w.Body)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{http.MethodGet, "/api/v1/volumes/vol2", http.StatusNotFound},
		{http.MethodGet, "/api/v1/volumes/vol1/more", http.StatusNotFound},
		{http.MethodGet, "/api/v1/nothing", http.StatusNotFound},
		{http.MethodGet, "/api/v2/status", http.StatusNotFound},
		{http.MethodGet, "/debug/pprof/", http.StatusNotFound},
		{http.MethodPost, "/api/v1/status", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/api/v1/volumes/vol1", http.StatusMethodNotAllowed},
	} {
		if w := ask(source{status: sample}, c.method, c.path); w.Code != c.code {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
	}
}

func TestReadyzSaysWhatTheGatewayWaitsFor(t *testing.T) {
	if w := ask(source{}, http.MethodGet, "/readyz"); w.Code != http.StatusOK || w.Body.String() != "ready\n" {
		t.Error(w.Code, w.Body)
	}
	w := ask(source{ready: errors.New("volume vol1: no such disk")}, http.MethodGet, "/readyz")
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "volume vol1: no such disk\n" {
		t.Error(w.Code, w.Body)
	}
}

func TestScrapesAreBounded(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "slow"}, func() float64 {
		began <- struct{}{}
		<-goOn
		return 1
	}))
	handler, codes := api.Handler(source{}, metrics), make(chan int)
	scrape := func() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		codes <- w.Code
	}
	const most = 4
	for range most {
		go scrape()
		<-began
	}
	go scrape()
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Errorf("one too many is answered %d", code)
	}
	close(goOn)
	for range most {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("the others are answered %d", code)
		}
	}
}

func (s source) SetWrite(_ context.Context, volume, write string) error {
	return s.operate("policy", volume, write)
}
func (s source) Drain(_ context.Context, volume string) error { return s.operate("drain", volume, "") }
func (s source) PauseWriteback(_ context.Context, volume string, ttl time.Duration) error {
	return s.operate("pause", volume, ttl.String())
}
func (s source) Barrier(_ context.Context, volume string, hold time.Duration) error {
	return s.operate("barrier", volume, hold.String())
}

func (s source) DeclareLost(_ context.Context, volume string) error {
	return s.operate("lost", volume, "")
}
func (s source) DropCache(_ context.Context, volume string) error {
	return s.operate("drop-cache", volume, "")
}
func (s source) ResizeRAM(_ context.Context, pool string, bytes int64) error {
	return s.operate("ram", pool, fmt.Sprint(bytes))
}
func (s source) ResizeFlash(_ context.Context, pool string, bytes int64) error {
	return s.operate("resize", pool, fmt.Sprint(bytes))
}
func (s source) RemoveFlash(_ context.Context, pool string) error {
	return s.operate("remove", pool, "")
}

func (s source) operate(what, volume, value string) error {
	if s.operated != nil {
		*s.operated = append(*s.operated, strings.TrimSpace(what+" "+volume+" "+value))
	}
	return s.refuses
}

func TestOperationsReachTheGateway(t *testing.T) {
	var done []string
	s := httptest.NewServer(api.Handler(source{operated: &done}, prometheus.NewRegistry()))
	defer s.Close()
	c := api.NewClient(s.URL)
	for operation, o := range map[string]api.Operation{"policy": {Write: "back"}, "drain": {}, "pause-writeback": {TTL: "30m"}, "barrier": {Hold: "1m0s"}, "recover": {AcceptDataLoss: true}, "drop-cache": {}} {
		if err := c.Operate(t.Context(), "vol 1", operation, o); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	for _, o := range []api.FlashOperation{{Bytes: 20 << 30}, {Remove: true}} {
		if err := c.OperateFlash(t.Context(), "a pool", o); err != nil {
			t.Error(err)
		}
	}
	for _, o := range []api.FlashOperation{{}, {Bytes: -1}, {Bytes: 1, Remove: true}} {
		if err := c.OperateFlash(t.Context(), "a pool", o); err == nil || !strings.Contains(err.Error(), "pool a pool: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := c.OperateRAM(t.Context(), "a pool", api.RAMOperation{Bytes: 1 << 30}); err != nil {
		t.Error(err)
	}
	for _, bytes := range []int64{0, -1} {
		if err := c.OperateRAM(t.Context(), "a pool", api.RAMOperation{Bytes: bytes}); err == nil || !strings.Contains(err.Error(), "pool a pool: ") {
			t.Errorf("%d: %v", bytes, err)
		}
	}
	if err := c.Operate(t.Context(), "vol 1", "recover", api.Operation{}); err == nil || !strings.Contains(err.Error(), "accepted") {
		t.Errorf("a loss that is not accepted: %v", err)
	}
	slices.Sort(done)
	if want := []string{"barrier vol 1 1m0s", "drain vol 1", "drop-cache vol 1", "lost vol 1", "pause vol 1 30m0s", "policy vol 1 back", "ram a pool 1073741824", "remove a pool", "resize a pool 21474836480"}; !slices.Equal(done, want) {
		t.Errorf("%q", done)
	}
}

// The page may be open in a browser on the gateway's machine, for which the API listens on the loopback; its site's name may lead there, too.
func TestAWebPageCanNotOperateAGateway(t *testing.T) {
	for name, c := range map[string]struct {
		host    string
		headers map[string]string
		status  int
	}{
		"another site":              {"127.0.0.1:7480", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://example.com", "Content-Type": "text/plain"}, http.StatusForbidden},
		"another port":              {"127.0.0.1:7480", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8080"}, http.StatusForbidden},
		"another site, no metadata": {"192.0.2.1:7480", map[string]string{"Origin": "http://example.com"}, http.StatusForbidden},
		"a file":                    {"192.0.2.1:7480", map[string]string{"Origin": "null"}, http.StatusForbidden},
		"no origin told":            {"127.0.0.1:7480", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"a name that leads here":    {"example.com:7480", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://example.com:7480"}, http.StatusForbidden},
		"no browser":                {"127.0.0.1:7480", nil, http.StatusNoContent},
		"no browser, by a name":     {"gw-a.example.com", nil, http.StatusNoContent},
	} {
		for path, body := range map[string]string{"/api/v1/volumes/v/recover": `{"acceptDataLoss": true}`, "/api/v1/pools/p/flash": `{"remove": true}`} {
			var done []string
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "http://"+c.host+path, strings.NewReader(body))
			for key, value := range c.headers {
				r.Header.Set(key, value)
			}
			api.Handler(source{operated: &done}, prometheus.NewRegistry()).ServeHTTP(w, r)
			if w.Code != c.status || len(done) > 0 != (c.status == http.StatusNoContent) {
				t.Errorf("%s: %d, want %d; done: %q", name, w.Code, c.status, done)
			}
		}
	}
}

func TestOperationsThatCanNotBeDoneAreTold(t *testing.T) {
	for _, c := range []struct {
		err    error
		body   string
		status int
	}{
		{nil, `{"ttl": "soon"}`, http.StatusBadRequest},
		{nil, `{"ttl": "-1s"}`, http.StatusBadRequest},
		{nil, `{"tll": "1s"}`, http.StatusBadRequest},
		{nil, `{`, http.StatusBadRequest},
		{api.ErrNotFound, `{"ttl": "1s"}`, http.StatusNotFound},
		{fmt.Errorf("%w: no log", api.ErrRefused), `{"ttl": "1s"}`, http.StatusConflict},
		{errors.New("away"), `{"ttl": "1s"}`, http.StatusServiceUnavailable},
		{nil, `{"ttl": "1s"}`, http.StatusNoContent},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/api/v1/volumes/v/pause-writeback", strings.NewReader(c.body))
		api.Handler(source{refuses: c.err}, prometheus.NewRegistry()).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%v, %s: %d, want %d: %s", c.err, c.body, w.Code, c.status, w.Body)
		}
	}
}
