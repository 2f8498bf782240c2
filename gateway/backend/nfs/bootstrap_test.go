package nfs

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/portmap"
	"forebay/protocols/nfs/rpc"
)

// mapperHost is a loopback address of which port 111 is likely to be free.
const mapperHost = "127.0.111.111"

func listenMapper(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", mapperHost+":111")
	if err != nil {
		t.Skip("the port mapper's port needs root: ", err)
	}
	return l
}

// serve serves programs on l until the end of the test.
func serve(t testing.TB, l net.Listener, programs ...rpc.Program) {
	t.Helper()
	server, served := rpc.NewServer(rpc.ServerOptions{Programs: programs}), make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(now)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestPortsAreAskedForThatAreNotGiven(t *testing.T) {
	mapper := listenMapper(t)
	l, err := net.Listen("tcp", mapperHost+":0")
	if err != nil {
		t.Fatal(err)
	}
	at := uint32(l.Addr().(*net.TCPAddr).Port)
	mem := nfstest.New(nfstest.Options{})
	serve(t, l, program{fs: mem}, mount.NewServer(program{fs: mem}))
	serve(t, mapper, portmap.Server{{Program: wire.Program, Version: wire.Version, Protocol: portmap.TCP, Port: at},
		{Program: mount.Program, Version: mount.Version, Protocol: portmap.TCP, Port: at}})
	f, err := Open(t.Context(), Options{Server: mapperHost, Export: "/exp"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mustBe(t, "a call", getAttr(t.Context(), f, f.Root()), nil)
}

func TestAPortThatTheMapperDoesNotKnowIsAnError(t *testing.T) {
	serve(t, listenMapper(t), portmap.Server{})
	_, err := Open(t.Context(), Options{Server: mapperHost, Export: "/exp", Port: 2049})
	mustBe(t, "the error", errors.Is(err, errNotRegistered) && errors.Is(err, wire.ErrAway), true)
}

func TestAPortMapperThatAnswersNonsenseIsAnError(t *testing.T) {
	for name, reply := range map[string]string{ // after the record mark and the XID
		"cut in the verifier":    "00000001 00000000 00000000",
		"a verifier too long":    "00000001 00000000 00000000 7fffffff",
		"denied, RPC_MISMATCH":   "00000001 00000001 00000000 00000002 00000002",
		"denied, AUTH_ERROR":     "00000001 00000001 00000001 00000005",
		"a port that is none":    "00000001 00000000 00000000 00000000 00000000 00010000",
		"a port cut short":       "00000001 00000000 00000000 00000000 00000000 00",
		"a call":                 "00000000 00000000",
		"a status that is none":  "00000001 00000009",
		"nothing but the header": "",
	} {
		t.Run(name, func(t *testing.T) {
			l := listenMapper(t)
			defer l.Close()
			body, err := hex.DecodeString(strings.ReplaceAll(reply, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			go answerAll(l, body)
			_, err = Open(t.Context(), Options{Server: mapperHost, Export: "/exp"})
			mustBe(t, "the error", errors.Is(err, wire.ErrAway), true)
		})
	}
}

// answerAll answers each call on each connection with the XID and a body.
func answerAll(l net.Listener, body []byte) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			head := make([]byte, 8)
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			_, _ = c.Write(append([]byte{0x80, 0, 0, byte(4 + len(body)), head[4], head[5], head[6], head[7]}, body...))
			_, _ = io.Copy(io.Discard, c)
		}()
	}
}

func TestMountErrorsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSAN(t, nfstest.Options{})
		o := Options{Server: "filer", Export: "/other", Port: 2049, MountPort: 20048, Dial: s.dial}
		_, err := Open(t.Context(), o)
		mustBe(t, "no such export", errors.Is(err, mount.ErrNoEnt) && !errors.Is(err, wire.ErrAway), true)
		s.stop()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = Open(ctx, o)
		mustBe(t, "nobody there", errors.Is(err, wire.ErrAway), true)
		mustBe(t, "as long as its context", time.Since(began), time.Second)
		_, err = Open(t.Context(), Options{})
		mustBe(t, "nothing is asked for", err != nil, true)
	})
}

// secured exports a file system that wants more than AUTH_SYS.
type secured struct{ program }

func (s secured) Mount(context.Context, netip.AddrPort, string) ([]byte, []rpc.Flavor, error) {
	return s.fs.Root(), []rpc.Flavor{390003}, nil // RPCSEC_GSS with Kerberos
}

func TestAnExportThatWantsMoreThanAuthSysIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, mount.NewServer(secured{program{fs: nfstest.New(nfstest.Options{})}}))
	_, err = Open(t.Context(), Options{Server: "127.0.0.1", Export: "/exp", Port: 1, MountPort: l.Addr().(*net.TCPAddr).Port})
	if err == nil || !strings.Contains(err.Error(), "AUTH_SYS") {
		t.Errorf("%v", err)
	}
}

func TestAFilerIsCalledFromAReservedPort(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("reserved ports are root's")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := Options{}.withDefaults().Dial
	for range 3 {
		ours, err := dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		if port := ours.LocalAddr().(*net.TCPAddr).Port; port < firstReserved || port > lastReserved {
			t.Errorf("port %d", port)
		}
	}
	l.Close()
	if _, err := dialReserved(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody there: %v", err)
	}
}

// A kernel that went on delivering what was written to a connection which is given up could have it executed when nobody expects it any more.
func TestD2_AConnectionThatIsGivenUpIsReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := Options{}.withDefaults().dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours.Close()
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other end reads %v", err)
	}
}

// The trouble is the same from whatever port: who tells each trouble once takes it by its words.
func TestAFilerThatRefusesDoesSoInTheSameWords(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	told := map[string]bool{}
	for range 8 {
		_, err := dialReserved(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			t.Fatal("somebody listens")
		}
		told[err.Error()] = true
	}
	if len(told) != 1 {
		t.Errorf("%q", slices.Collect(maps.Keys(told)))
	}
}
