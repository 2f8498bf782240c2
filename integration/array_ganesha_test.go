package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/gateway/backend/nfs"
	"forebay/integration/relay"
)

// filer are the options of the adapter over the export.
func (g *ganesha) filer() nfs.Options {
	return nfs.Options{Server: "127.0.0.1", Export: g.export, Port: port(g.t, g.nfs), MountPort: port(g.t, g.mount)}
}

func openFiler(t testing.TB, o nfs.Options) *nfs.Filer {
	t.Helper()
	f, err := nfs.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func openNFSFile(t testing.TB, f *nfs.Filer, o nfs.FileOptions) *nfs.File {
	t.Helper()
	a, err := nfs.OpenFile(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// makeFile makes a file of the export.
func (g *ganesha) makeFile(name string, size int64) {
	g.t.Helper()
	err := os.WriteFile(g.path(name), nil, 0o600)
	if err == nil {
		err = os.Truncate(g.path(name), size)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func TestArrayOnGanesha(t *testing.T) {
	g := startGanesha(t)
	f := openFiler(t, g.filer())
	for _, block := range []int{512, 4096} {
		t.Run(fmt.Sprint(block), func(t *testing.T) {
			next := 0
			arraytest.Suite(t, func(t *testing.T) cachecore.Array {
				next++
				name := fmt.Sprintf("%d-%d.img", block, next)
				g.makeFile(name, 4<<20)
				return openNFSFile(t, f, nfs.FileOptions{Path: name, BlockSize: block})
			})
		})
	}
}

// nfsRig is a file of a ganesha behind a relay, as an array of 64 blocks.
type nfsRig struct {
	*ganesha
	relay   *relay.Relay
	array   *nfs.File
	told    chan nfs.FileEvent
	dropped chan struct{} // connections that the other end has closed
	written int
}

const nfsPatience = time.Second

func startNFSRig(t testing.TB) *nfsRig {
	t.Helper()
	return newNFSRig(t, startGanesha(t))
}

func newNFSRig(t testing.TB, g *ganesha) *nfsRig {
	t.Helper()
	r := &nfsRig{ganesha: g, told: make(chan nfs.FileEvent, 64), dropped: make(chan struct{}, 1024)}
	r.relay = startRelay(t, r.nfs, relay.Options{})
	r.makeFile("a.img", 64*4096)
	o := r.filer()
	o.Port, o.Patience, o.Drain, o.Connections = port(t, r.relay.Addr()), nfsPatience, 100*time.Millisecond, 2
	o.Dial = r.dial
	r.array = openNFSFile(t, openFiler(t, o), nfs.FileOptions{Path: "a.img", BlockSize: 4096, Watch: func(e nfs.FileEvent) { r.told <- e }})
	return r
}

func (r *nfsRig) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watchedConn{c.(*net.TCPConn), r.dropped}, nil
}

// watchedConn tells of its end, if the other end has made it.
type watchedConn struct {
	*net.TCPConn
	dropped chan struct{}
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if errors.Is(err, io.EOF) {
		c.dropped <- struct{}{}
	}
	return n, err
}

// write writes every block anew.
func (r *nfsRig) write() error {
	for i := range 64 {
		if err := r.array.WriteAt(r.t.Context(), r.block(r.written+1, i), int64(i)*4096, cachecore.WriteOptions{}); err != nil {
			return err
		}
	}
	r.written++
	return nil
}

func (r *nfsRig) block(round, i int) []byte { return bytes.Repeat([]byte{byte(round), byte(i)}, 2048) }

// check reads what was written last, through the adapter and in the folder.
func (r *nfsRig) check() {
	r.t.Helper()
	here, err := os.ReadFile(r.path("a.img"))
	if err != nil {
		r.t.Fatal(err)
	}
	p := make([]byte, 4096)
	for i := range 64 {
		want := r.block(r.written, i)
		if err := r.array.ReadAt(r.t.Context(), p, int64(i)*4096); err != nil || !bytes.Equal(p, want) {
			r.t.Fatalf("block %d reads as other bytes than were written, or %v", i, err)
		}
		if !bytes.Equal(here[i*4096:][:4096], want) {
			r.t.Fatalf("block %d has other bytes than were written", i)
		}
	}
}

// hears waits for an event.
func (r *nfsRig) hears(what string, is func(nfs.FileEvent) bool) {
	r.t.Helper()
	select {
	case e := <-r.told:
		if !is(e) {
			r.t.Fatalf("told %+v instead of %s", e, what)
		}
	case <-time.After(20 * time.Second):
		r.t.Fatalf("not told of %s", what)
	}
}

func (r *nfsRig) hearsNothing() {
	r.t.Helper()
	select {
	case e := <-r.told:
		r.t.Fatalf("told %+v", e)
	default:
	}
}

// Left to itself ganesha takes minutes; the relay ends the connections as it does.
func TestGaneshaThatDropsIdleConnectionsIsNotNoticed(t *testing.T) {
	r := startNFSRig(t)
	for range 5 {
		if err := errors.Join(r.write(), r.array.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		for range r.relay.Cut(relay.Finish) {
			<-r.dropped
		}
	}
	r.check()
	r.hearsNothing()
}

func TestGaneshaThatIsCutOffAgainAndAgainIsGoneOnWith(t *testing.T) {
	r := startNFSRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		r.relay.CutEvery(ctx, 30*time.Millisecond, relay.Reset)
	}()
	for range 10 {
		if err := errors.Join(r.write(), r.array.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-cut
	r.check()
	r.hearsNothing()
}

// A restart is short enough not to be noticed, but for the verifier. What is in memory stays there, so that ganesha forgets nothing.
func TestE1_GaneshaThatIsRestartedIsGoneOnWithAndItsVerifierTold(t *testing.T) {
	r := startNFSRig(t)
	if err := r.write(); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if err := r.array.Flush(t.Context()); err == nil {
		t.Fatal("a flush covers what was written before a restart")
	}
	r.hears("lost writes", func(e nfs.FileEvent) bool { return e.Available && e.Forsaken })
	if err := errors.Join(r.write(), r.array.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if err := r.array.Flush(t.Context()); err != nil {
		t.Fatalf("all was durable: %v", err)
	}
	r.check()
	r.hearsNothing()
}

func TestGaneshaThatIsKilledIsAwayUntilItComesBack(t *testing.T) {
	for name, c := range map[string]struct{ down, up func(r *nfsRig) }{
		"killed":       {func(r *nfsRig) { r.kill() }, func(r *nfsRig) { r.run() }},
		"paused":       {func(r *nfsRig) { r.pause() }, func(r *nfsRig) { r.resume() }},
		"in a hole":    {func(r *nfsRig) { r.relay.BlackHole(relay.Both, true) }, func(r *nfsRig) { r.relay.BlackHole(relay.Both, false) }},
		"unreachable":  {func(r *nfsRig) { r.relay.Refuse(true); r.relay.Cut(relay.Reset) }, func(r *nfsRig) { r.relay.Refuse(false) }},
		"finished off": {func(r *nfsRig) { r.relay.Refuse(true); r.relay.Cut(relay.Finish) }, func(r *nfsRig) { r.relay.Refuse(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := startNFSRig(t)
			if err := errors.Join(r.write(), r.array.Flush(t.Context())); err != nil {
				t.Fatal(err)
			}
			c.down(r)
			began := time.Now()
			if err := r.write(); !errors.Is(err, cachecore.ErrUnavailable) {
				t.Fatalf("a write is answered with %v", err)
			}
			if took := time.Since(began); took < nfsPatience/2 || took > 10*nfsPatience {
				t.Errorf("the patience took %v", took)
			}
			r.hears("its going", func(e nfs.FileEvent) bool { return !e.Available && e.Reason != "" })
			c.up(r)
			r.hears("its coming", func(e nfs.FileEvent) bool { return e == nfs.FileEvent{Available: true} })
			if err := errors.Join(r.write(), r.array.Flush(t.Context())); err != nil {
				t.Fatal(err)
			}
			r.check()
			r.hearsNothing()
		})
	}
}

// Another file system in the export's place, with the same names in it.
func TestD6_AnotherFileSystemInGaneshasPlaceIsNotServed(t *testing.T) {
	g := startGanesha(t)
	g.kill()
	unmount := g.mountMemory()
	g.run()
	r := newNFSRig(t, g)
	if err := errors.Join(r.write(), r.array.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	g.kill()
	unmount()
	g.mountMemory()
	g.makeFile("a.img", 64*4096)
	g.run()
	if err := r.write(); !errors.Is(err, cachecore.ErrIdentity) || !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatalf("a write is answered with %v", err)
	}
	r.hears("another medium", func(e nfs.FileEvent) bool {
		return !e.Available && strings.Contains(e.Reason, cachecore.ErrIdentity.Error())
	})
	if content, err := os.ReadFile(r.path("a.img")); err != nil || !bytes.Equal(content, make([]byte, 64*4096)) {
		t.Errorf("the other one was written to, or %v", err)
	}
}

// mountMemory puts a new file system over the export, until the end of the test at the latest. The server must not run.
func (g *ganesha) mountMemory() (unmount func()) {
	g.t.Helper()
	if err := syscall.Mount("tmpfs", g.export, "tmpfs", 0, "size=16m"); err != nil {
		g.t.Fatal(err)
	}
	unmount = sync.OnceFunc(func() {
		g.kill()
		if err := syscall.Unmount(g.export, 0); err != nil {
			g.t.Error(err)
		}
	})
	g.t.Cleanup(unmount)
	return unmount
}
