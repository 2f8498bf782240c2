package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/gateway/api"
)

// What the gateways serve that startGateway starts: a disk, or an export.
const (
	demoTarget = "iqn.2026-11.io.forebay:test"
	demoExport = "/files"
)

// settings are what a test wants of its gateway; the zero value is a 64 MiB tier over a 256 MiB sparse file.
type settings struct {
	dir       string // empty: a folder of the test
	ram       string
	disk      string
	blockSize int
	listen    string   // iSCSI address
	limits    string   // inside gateway.limits: {...}
	array     string   // of an array behind: what stands under its name; empty: a file with the size of disk
	lun       int      // of such an array
	path      string   // likewise, of a file
	write     string   // of the policy; through
	policy    string   // further keys of it
	volume    []string // further lines of the volume's iscsi mapping
	log       string   // keys of the tier's log mapping
	flash     string   // likewise, flash
	export    string   // keys of an nfs mapping: the volume is an export instead
	host      string   // that NFS is served at; 127.0.0.1
	portmap   bool     // with a port mapper there

	nfsPort, mountPort int // 0: any; fixed ones are for gateways that are started again
}

func (s settings) config() string {
	or := func(v, other string) string {
		if v == "" {
			return other
		}
		return v
	}
	if s.blockSize == 0 {
		s.blockSize = 512
	}
	file := fmt.Sprintf("file: {gateway: gw-test, path: %s/disk.img, size: %s}", s.dir, or(s.disk, "256MiB"))
	if s.policy != "" {
		s.policy = ", " + s.policy
	}
	frontend := fmt.Sprintf("iscsi:\n      target: %q\n      lun: 0\n      block-size: %d\n      %s", demoTarget, s.blockSize, strings.Join(s.volume, "\n      "))
	if s.export != "" {
		frontend = fmt.Sprintf("nfs: {export: %s, %s}", demoExport, s.export)
	}
	host, portmap := or(s.host, "127.0.0.1"), "off"
	if s.portmap {
		portmap = host + ":111"
	}
	if s.log != "" {
		s.log = fmt.Sprintf(", log: {%s}", s.log)
	}
	if s.flash != "" {
		s.log = fmt.Sprintf(", flash: {%s}%s", s.flash, s.log)
	}
	write := or(s.write, "through")
	from := fmt.Sprintf("lun: %d", s.lun)
	if s.path != "" {
		from = "path: " + s.path
	}
	return fmt.Sprintf(`gateway:
  name: gw-test
  data-dir: %[1]s/data
  listen:
    iscsi: ["%[2]s"]
    api: 127.0.0.1:0
    nfs: %[9]s:%[10]d
    mount: %[9]s:%[11]d
    portmap: %[12]s
  tiers:
    - {pool: fast, ram: %[3]s%[13]s}
  limits: {%[4]s}
  log: {level: info, format: json}
etcd:
  embedded: {}
pools:
  - {name: fast}
arrays:
  - name: disk1
    %[5]s
volumes:
  - name: vol1
    from: {array: disk1, %[6]s}
    pool: fast
    policy: {write: %[14]s%[7]s}
    %[8]s
`, s.dir, or(s.listen, "127.0.0.1:0"), or(s.ram, "64MiB"), s.limits, or(s.array, file), from, s.policy, frontend, host, s.nfsPort, s.mountPort, portmap,
		s.log, write)
}

// gatewayProcess is a running gateway.
type gatewayProcess struct {
	*process
	dir, portal, api string
	nfs, mount       string // of an export
}

// startGateway writes a configuration, starts the binary with it and waits until it serves.
func startGateway(t testing.TB, s settings) *gatewayProcess {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	g := &gatewayProcess{dir: s.dir, process: start(t, forebay, "gateway", "--config", writeConfig(t, s))}
	g.portal = g.address("iscsi")
	g.api = g.address("api")
	if s.export != "" {
		g.nfs, g.mount = g.address("nfs"), g.address("mount")
	}
	g.waitFor(30*time.Second, `"volume":"vol1"`, `"message":"volume serves"`)
	return g
}

func writeConfig(t testing.TB, s settings) string {
	t.Helper()
	path := filepath.Join(s.dir, "forebay.yaml")
	if err := os.WriteFile(path, []byte(s.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// address waits for a listener's log line and returns the address that it got.
func (g *gatewayProcess) address(listener string) string {
	g.t.Helper()
	line := g.waitFor(30*time.Second, fmt.Sprintf(`"listener":%q`, listener), `"message":"listening"`)
	var said struct{ Address string }
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		g.t.Fatalf("not a log line: %s", line)
	}
	return said.Address
}

// url is the volume as libiscsi's programs want it.
func (g *gatewayProcess) url() string { return fmt.Sprintf("iscsi://%s/%s/0", g.portal, demoTarget) }

// stop ends the gateway as systemd would, and fails the test if that is not in order.
func (g *gatewayProcess) stop() {
	g.t.Helper()
	g.signal(sigterm)
	if err := g.wait(30 * time.Second); err != nil {
		g.t.Fatalf("the gateway did not end in order: %v\n%s", err, g.output())
	}
}

// ports are handed out one after another, from below what the system takes for whoever binds or connects to any: what a test has stays free while its server
// is away, whoever runs beside it.
var ports atomic.Int32

func init() { ports.Store(20000 + rand.Int32N(8000)) }

// freePort returns an address on loopback that nobody listens on, and no other test has.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", ports.Add(1))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// status asks the gateway as the operator's tool does.
func (g *gatewayProcess) status() api.Status {
	g.t.Helper()
	s, err := api.NewClient(g.api).Status(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func get(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(body)
}

// metric is one value of the gateway's /metrics, by its name with labels.
func (g *gatewayProcess) metric(name string) float64 {
	g.t.Helper()
	for line := range strings.Lines(get(g.t, "http://"+g.api+"/metrics")) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return number(g.t, strings.TrimSpace(rest))
		}
	}
	g.t.Fatalf("/metrics lacks %s", name)
	return 0
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
