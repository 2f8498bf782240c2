package iscsi

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/protocols/iscsi/target"
	"forebay/protocols/scsi"
)

const (
	disk     = "iqn.2026-11.com.example:san1"
	client   = "iqn.2026-11.io.forebay:gw-a"
	diskSize = 2 << 20
	patience = 20 * time.Second // after which a test that waits has failed
)

// store is an arraytest.Mem as a scsi.Store.
type store struct{ mem *arraytest.Mem }

func (s store) ReadNow(*scsi.Data, int64, int) bool { return false }

func (s store) Read(ctx context.Context, d *scsi.Data, off int64, n int) error {
	p := make([]byte, n)
	if err := s.mem.ReadAt(ctx, p, off); err != nil {
		return err
	}
	d.Add(p, nil, 0)
	return nil
}

func (s store) Write(ctx context.Context, p []byte, off int64, fua bool) error {
	return s.mem.WriteAt(ctx, p, off, cachecore.WriteOptions{FUA: fua})
}

func (s store) Flush(ctx context.Context) error { return s.mem.Flush(ctx) }

func (s store) Discard(ctx context.Context, off, n int64, mode scsi.DiscardMode) error {
	if mode == scsi.Unmap {
		return s.mem.Unmap(ctx, off, n)
	}
	return s.mem.WriteZeroes(ctx, off, n, mode == scsi.UnmapZero)
}

// san is our own target over a Mem, on the loopback.
type san struct {
	t      testing.TB
	mem    *arraytest.Mem
	unit   *scsi.Unit
	portal string
	stop   func()
}

func newSAN(t testing.TB, info cachecore.ArrayInfo) *san {
	t.Helper()
	s := &san{t: t, mem: arraytest.NewMem(info), portal: "127.0.0.1:0"}
	info = s.mem.Info()
	s.unit = scsi.NewUnit(scsi.UnitOptions{Store: store{s.mem}, Logger: zerolog.Nop(),
		Identity: scsi.Identity{NAA: [16]byte{0x60, 1, 2, 3}, Serial: "1", Vendor: "FOREBAY", Product: "TEST", Name: "san1"}})
	s.unit.SetGeometry(scsi.Geometry{BlockSize: info.LogicalBlock, PhysicalBlock: info.PhysicalBlock, Blocks: uint64(info.Size) / uint64(info.LogicalBlock),
		Thin: info.Thin, ZeroesOnUnmap: info.UnmapZeroes, UnmapGrain: int(info.UnmapGrain) / info.LogicalBlock, WriteCache: info.WriteCache})
	s.unit.SetReady(true)
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start begins to serve, at the portal of before.
func (s *san) start() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.portal)
	if err != nil {
		s.t.Fatal(err)
	}
	s.portal = l.Addr().String()
	devices := map[uint64]scsi.Device{0: s.unit}
	server := target.New(target.Options{Catalog: catalog{&target.Target{Name: disk, LUNs: func() map[uint64]scsi.Device { return devices }}},
		Buffers: heap{}, Logger: zerolog.Nop()})
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	s.stop = sync.OnceFunc(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(over)
		<-served
	})
}

// powerCut ends the target, loses of its cache what kept does not keep, and begins again.
func (s *san) powerCut(kept func(block int64) bool) {
	s.stop()
	s.mem.Crash(kept)
	s.start()
}

type catalog struct{ target *target.Target }

func (c catalog) Target(name string) (*target.Target, bool)    { return c.target, name == c.target.Name }
func (c catalog) Targets(string, net.Addr) []target.TargetInfo { return nil }

type heap struct{}

func (heap) Get(n int) []byte { return make([]byte, n) }
func (heap) Put([]byte)       {}

// wire dials for an Array, and cuts its connections.
type wire struct {
	after atomic.Int64 // bytes either way after which a new connection is cut; 0: never
	dead  atomic.Bool  // no connection can be made
	mu    sync.Mutex
	conns map[*cutConn]struct{}
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if w.dead.Load() {
		return nil, net.ErrClosed
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	x := &cutConn{Conn: c, wire: w}
	x.left.Store(w.after.Load())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = map[*cutConn]struct{}{}
	}
	w.conns[x] = struct{}{}
	return x, nil
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Conn.Close()
	}
}

// cutConn ends when it has carried a number of bytes. It is no syscall.Conn: all that is written goes through Write.
type cutConn struct {
	net.Conn
	wire *wire
	left atomic.Int64
}

func (c *cutConn) Read(p []byte) (int, error) { return c.carry(c.Conn.Read, p) }

func (c *cutConn) Write(p []byte) (int, error) { return c.carry(c.Conn.Write, p) }

func (c *cutConn) carry(move func([]byte) (int, error), p []byte) (int, error) {
	left := c.left.Load()
	if left < 0 {
		return 0, net.ErrClosed
	}
	if left > 0 && int64(len(p)) > left {
		p = p[:left]
	}
	n, err := move(p)
	if left > 0 && c.left.Add(-int64(n)) <= 0 {
		c.left.Store(-1)
		c.Conn.Close()
		if err == nil {
			err = net.ErrClosed
		}
	}
	return n, err
}

func (c *cutConn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

func options(t testing.TB, portals ...string) Options {
	return Options{Portals: portals, Target: disk, InitiatorName: client, BlockSize: 512, Log: zerolog.New(zerolog.NewTestWriter(t))}
}

// open attaches an array that ends with the test, and sees that nothing of it stays behind.
func open(t testing.TB, o Options) *Array {
	t.Helper()
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, a) })
	return a
}

func end(t testing.TB, a *Array) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if a.mu.flights.count != 0 || len(a.mu.flights.line) != 0 {
		t.Errorf("%d ops fly and %d wait after the end", a.mu.flights.count, len(a.mu.flights.line))
	}
	if stacks := ours(); len(stacks) > 0 {
		t.Errorf("%d goroutines are left:\n%s", len(stacks), stacks[0])
	}
}

var frame = regexp.MustCompile(`backend/iscsi\.\(\*(Array|path)\)|iscsi/initiator\.\(\*Session\)`)

// ours returns the stacks of goroutines that run code of an array or its sessions, having given them time to end.
func ours() (list []string) {
	for left := 20000; ; left-- {
		buf := make([]byte, 1<<20)
		list = list[:0]
		for _, stack := range regexp.MustCompile(`\n\n`).Split(string(buf[:runtime.Stack(buf, true)]), -1) {
			if frame.MatchString(stack) {
				list = append(list, stack)
			}
		}
		if len(list) == 0 || left == 0 {
			return list
		}
		runtime.Gosched()
	}
}

// receive takes from a channel, and fails the test when nothing comes.
func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-from:
		return v
	case <-timer.C:
		t.Fatal("nothing comes")
	}
	panic("not reached")
}

func pattern(seed byte, n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(p) // never fails
	return p
}

func mustWrite(t testing.TB, a cachecore.Array, p []byte, off int64, o cachecore.WriteOptions) {
	t.Helper()
	if err := a.WriteAt(t.Context(), p, off, o); err != nil {
		t.Fatalf("write at %d: %v", off, err)
	}
}

func mustFlush(t testing.TB, a cachecore.Array) {
	t.Helper()
	if err := a.Flush(t.Context()); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func expect(t testing.TB, a cachecore.Array, off int64, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if err := a.ReadAt(t.Context(), got, off); err != nil {
		t.Fatalf("read at %d: %v", off, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("other bytes than were written at %d+%d", off, len(want))
	}
}
