package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"forebay/protocols/nfs/rpc"
)

// ganesha is a running NFS server: one export, a folder in memory. It keeps its ports and its export's identity over restarts.
type ganesha struct {
	*process // that runs now
	t        testing.TB
	nfs      string // host:port
	mount    string // host:port
	export   string // the folder, which is the export's name too
	config   string
	own      string // what the process has for /run
	epoch    int64  // of the next start, in seconds: write verifiers are made of it
}

// startGanesha runs nfs-ganesha on ports of its own until the end of the test.
func startGanesha(t testing.TB) *ganesha {
	t.Helper()
	need(t, "ganesha.nfsd", "unshare")
	export := memoryDir(t)
	g := &ganesha{t: t, nfs: freePort(t), mount: freePort(t), export: export, config: filepath.Join(t.TempDir(), "ganesha.conf"), own: t.TempDir(), epoch: time.Now().Unix()}
	if err := os.WriteFile(g.config, g.configuration(), 0o600); err != nil {
		t.Fatal(err)
	}
	g.registry()
	g.run()
	return g
}

// configuration is for an export that changes behind the server's back, for one client that is root: nothing is kept, nothing squashed. VFS
// finds files by their kernel handles, which is why it has to be root.
func (g *ganesha) configuration() []byte {
	return fmt.Appendf(nil, `
NFS_CORE_PARAM {
	Bind_addr = 127.0.0.1; NFS_Port = %d; MNT_Port = %d; Protocols = 3;
	Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
}
EXPORT_DEFAULTS { Attr_Expiration_Time = 0; }
MDCACHE { Dir_Chunk = 0; }
EXPORT {
	Export_Id = 1; Path = %s; Pseudo = %s; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Protocols = 3; Transports = TCP;
	FSAL { Name = VFS; }
}
`, port(g.t, g.nfs), port(g.t, g.mount), g.export, g.export)
}

func port(t testing.TB, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// run starts the process and returns once it serves.
func (g *ganesha) run() {
	g.t.Helper()
	g.epoch++
	script := `mount --bind "$1" /run && exec ganesha.nfsd -F -L /dev/stdout -f "$2" -p "$1/ganesha.pid" -E "$3"`
	g.process = start(g.t, "unshare", "--mount", "sh", "-c", script, "sh", g.own, g.config, strconv.FormatInt(g.epoch, 10))
	g.waitFor(20*time.Second, "NFS SERVER INITIALIZED")
}

// restart kills it and runs it again: same ports, same folder.
func (g *ganesha) restart() {
	g.t.Helper()
	g.kill()
	g.run()
}

// pause stops it where it is: connections stay, nothing is answered, until resume.
func (g *ganesha) pause()  { g.signal(syscall.SIGSTOP) }
func (g *ganesha) resume() { g.signal(syscall.SIGCONT) }

// path is a file of the export, here.
func (g *ganesha) path(name string) string { return filepath.Join(g.export, name) }

// registry is what the server registers its ports with. It ends if it can't, and the machine may have no rpcbind, or one in which another
// server is registered: it finds ours in a /run of its own.
func (g *ganesha) registry() {
	g.t.Helper()
	if err := os.Mkdir(filepath.Join(g.own, "ganesha"), 0o700); err != nil {
		g.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(g.own, "rpcbind.sock"))
	if err != nil {
		g.t.Fatal(err)
	}
	s := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{rpcbind{}}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	g.t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(now)
		if err := <-served; err != nil {
			g.t.Error(err)
		}
	})
}

// rpcbind is one that takes everything and knows nothing (RFC 1833 2.2).
type rpcbind struct{}

func (rpcbind) Number() uint32             { return 100000 }
func (rpcbind) Versions() (uint32, uint32) { return 2, 4 }

func (rpcbind) Serve(_ context.Context, c *rpc.Call) { c.Results.Bool(true) }
