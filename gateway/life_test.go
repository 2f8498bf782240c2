package gateway

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"forebay/configs"
	"forebay/gateway/api"
	"forebay/protocols/iscsi/initiator"
)

// life is a gateway that runs in this process as it would in its own, over a file, on ports of loopback.
type life struct {
	*Gateway
	t     *testing.T
	log   *lines
	stop  context.CancelFunc
	ended chan error
}

const lifeTarget = "iqn.2026-11.example:vol1"

// text is a configuration; the folder of everything is dir.
func text(dir string) string {
	return fmt.Sprintf(`gateway:
  name: gw-a
  data-dir: %[1]s/data
  listen: {iscsi: ["127.0.0.1:0"], api: "127.0.0.1:0"}
  tiers:
    - {pool: fast, ram: 4MiB}
pools:
  - {name: fast}
arrays:
  - name: disk1
    file: {gateway: gw-a, path: %[1]s/disk.img, size: 16MiB}
volumes:
  - name: vol1
    from: {array: disk1}
    pool: fast
    policy: {write: through, on-array-loss: hold 10m}
    iscsi: {target: "%[2]s", lun: 0}
`, dir, lifeTarget)
}

func parse(t *testing.T, dir, text string) *configs.Config {
	t.Helper()
	c, err := configs.Parse(filepath.Join(dir, "forebay.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// begin starts a gateway. The test ends it.
func begin(t *testing.T, c *configs.Config) *life {
	log := newLines(t)
	l := &life{Gateway: New(Options{Config: c, Log: log.logger(), Version: "v1.2.3"}), t: t, log: log, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	t.Cleanup(l.stop)
	go func() { l.ended <- l.Run(ctx) }()
	return l
}

// live is begin of what serves.
func live(t *testing.T, dir string) *life {
	t.Helper()
	l := begin(t, parse(t, dir, text(dir)))
	l.log.wait("volume serves")
	return l
}

// address is where a service listens.
func (l *life) address(service string) string {
	return field(l.t, l.log.wait(fmt.Sprintf(`"listener":%q`, service), `"listening"`), "address")
}

func (l *life) logIn() *initiator.Session {
	l.t.Helper()
	s, err := initiator.Dial(l.t.Context(), initiator.Options{Portal: l.address(serviceISCSI), Target: lifeTarget})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := s.Ready(l.t.Context(), 0); err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (l *life) ask() api.Status {
	l.t.Helper()
	s, err := api.NewClient(l.address(serviceAPI)).Status(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// end ends it in order, with nothing left behind.
func (l *life) end() {
	l.t.Helper()
	l.stop()
	if err := <-l.ended; err != nil {
		l.t.Error(err)
	}
	l.log.expect(1, `"ended"`)
	l.alone()
}

// alone waits until no goroutine of a gateway is left.
func (l *life) alone() {
	l.t.Helper()
	patience := time.After(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
		left := ""
		for _, stack := range strings.Split(stacks.String(), "\n\n") {
			if !strings.Contains(stack, "testing.") && (strings.Contains(stack, "forebay/") || strings.Contains(stack, "go.etcd.io/")) {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-patience:
			l.t.Fatalf("left behind:\n%s", left)
		}
	}
}

// content is that of the array's file.
func content(t *testing.T, dir string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
