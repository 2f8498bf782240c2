package nfsmodel

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"forebay/protocols/nfs"
)

// ganesha is a running nfs-ganesha that exports a folder, through a local file system that keeps file handles.
type ganesha struct {
	t               testing.TB
	home            string
	export          string
	nfsPort, mtPort int
	starts          int
	running         *exec.Cmd
	exited          chan struct{}
}

const ganeshaConf = `
NFS_CORE_PARAM { Protocols = 3; NFS_Port = %d; MNT_Port = %d; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; Bind_addr = 127.0.0.1; }
MDCACHE { Dir_Chunk = 0; }
EXPORT_DEFAULTS { Attr_Expiration_Time = 0; }
EXPORT { Export_Id = 1; Path = %q; Pseudo = /exp; Access_Type = RW; Squash = none; SecType = sys; Protocols = 3; Transports = TCP;
	FSAL { Name = VFS; } }
LOG { Default_Log_Level = WARN; }
`

// ganeshaScript runs ganesha with a port mapper of its own, without which it doesn't start: that one is reached by its socket in a /run of
// their own, and its port is in a network of its own, so that neither meets what else runs on the machine. All end with the first process.
const ganeshaScript = `
mount -t tmpfs none /run
unshare --net rpcbind -f &
until [ -S /run/rpcbind.sock ]; do sleep 0.02; done
ganesha.nfsd -F -L "$1" -f "$2" -p "$3" -E "$4"
`

// startGanesha runs one over a folder in memory until the test ends.
func startGanesha(t testing.TB) *ganesha {
	t.Helper()
	for _, p := range []string{"ganesha.nfsd", "rpcbind", "unshare"} {
		if _, err := exec.LookPath(p); err != nil || os.Getuid() != 0 {
			t.Skipf("no root, or no %s, to run nfs-ganesha with", p)
		}
	}
	home, err := os.MkdirTemp("/dev/shm", "nfsmodel-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	g := &ganesha{t: t, home: home, export: filepath.Join(home, "exp"), nfsPort: freePort(t), mtPort: freePort(t)}
	conf := fmt.Appendf(nil, ganeshaConf, g.nfsPort, g.mtPort, g.export)
	if err := os.WriteFile(filepath.Join(home, "conf"), conf, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(g.export, 0o777); err != nil {
		t.Fatal(err)
	}
	g.start()
	t.Cleanup(g.kill)
	return g
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (g *ganesha) start() {
	g.t.Helper()
	g.starts++ // its write verifier, which else is a time in seconds
	log := filepath.Join(g.home, "log")
	g.running = exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ganeshaScript, "sh",
		log, filepath.Join(g.home, "conf"), filepath.Join(g.home, "pid"), strconv.Itoa(g.starts))
	g.running.Stdout = io.Discard // what keeps Wait waiting for all of them
	g.running.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.running.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.exited = make(chan struct{})
	go func() {
		_ = g.running.Wait()
		close(g.exited)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	o := g.options(0)
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err := mounted(attempt, &o)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-g.exited:
			text, _ := os.ReadFile(log)
			g.t.Fatalf("ganesha ended: %s", text)
		case <-ctx.Done():
			g.t.Fatal("ganesha doesn't answer")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (g *ganesha) kill() {
	_ = g.running.Process.Kill()
	<-g.exited
}

func (g *ganesha) options(seed uint64) Options {
	return Options{Address: fmt.Sprintf("127.0.0.1:%d", g.nfsPort), MountAddress: fmt.Sprintf("127.0.0.1:%d", g.mtPort), Export: g.export, Seed: seed, Tails: true, SmallestCount: 1024, LooseListings: true, RemovedStaysOpen: true, RefusedCreateEmpties: true, SlashesResolved: true,
		Callers: []nfs.Caller{{}, {UID: 1001, GID: 1001, GIDs: []uint32{2001}}, {}}}
}

// restarts kills ganesha again and again, and starts it anew, until stop is called, which says how often.
func (g *ganesha) restarts() (stop func() int) {
	count := 0
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
				g.kill()
				g.start()
				count++
			}
		}
	}()
	return func() int {
		close(end)
		<-ended
		return count
	}
}
