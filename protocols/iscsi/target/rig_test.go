package target

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
	"forebay/protocols/sock/socktest"
)

const (
	disk      = "iqn.2026-11.io.forebay:disk"
	client    = "iqn.2026-11.com.example:client"
	blockSize = 512
	diskSize  = 8 << 20
	patience  = 20 * time.Second // after which a test that waits has failed
)

// rig is a server with one target, whose unit 0 is a store in memory. Its listener is a pipe, or a port of the loopback.
type rig struct {
	t       testing.TB
	server  *Server
	store   *scsitest.Mem
	unit    *scsi.Unit
	pool    *pool
	targets targets
	connect func(ctx context.Context, network, address string) (net.Conn, error)
	portal  string
}

// setup is what a test may change before the server begins.
type setup struct {
	Options
	store  scsi.Store
	listen func() (net.Listener, error)
}

func newRig(t testing.TB, change ...func(r *rig, s *setup)) *rig {
	t.Helper()
	r := &rig{t: t, store: scsitest.NewMem(diskSize), pool: &pool{left: 64 << 20}, targets: targets{}}
	pipe := socktest.NewPipeListener()
	r.connect, r.portal = pipe.Dial, "pipe"
	s := &setup{listen: func() (net.Listener, error) { return pipe, nil }, store: r.store,
		Options: Options{Catalog: r.targets, Buffers: r.pool, Logger: zerolog.Nop(), Alias: "rig"}}
	devices := map[uint64]scsi.Device{}
	r.targets[disk] = &Target{Name: disk, LUNs: func() map[uint64]scsi.Device { return devices }}
	for _, f := range change {
		f(r, s)
	}
	r.unit = newUnit(s.store)
	devices[0] = r.unit
	l, err := s.listen()
	if err != nil {
		t.Fatal(err)
	}
	r.server = New(s.Options)
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(context.Background(), l) }()
	t.Cleanup(func() { r.end(served) })
	return r
}

// end cuts what is left and sees that nothing stays behind: no goroutine, no memory of the pool.
func (r *rig) end(served <-chan error) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	r.server.Shutdown(over)
	if err := <-served; err != nil {
		r.t.Errorf("Serve: %v", err)
	}
	if stacks := ours(); len(stacks) > 0 {
		r.t.Errorf("%d goroutines are left:\n%s", len(stacks), stacks[0])
	}
	if n := r.pool.taken(); n != 0 {
		r.t.Errorf("%d bytes are not given back to the pool", n)
	}
}

var serverFrame = regexp.MustCompile(`iscsi/target\.\(\*(Server|conn|session|outbox|budget|reader)\)`)

// ours returns the stacks of goroutines that run code of the server, having given them time to end.
func ours() []string {
	var list []string
	for left := 20000; ; left-- {
		buf := make([]byte, 1<<20)
		list = list[:0]
		for _, stack := range regexp.MustCompile(`\n\n`).Split(string(buf[:runtime.Stack(buf, true)]), -1) {
			if serverFrame.MatchString(stack) {
				list = append(list, stack)
			}
		}
		if len(list) == 0 || left == 0 {
			return list
		}
		runtime.Gosched()
	}
}

// overTCP has the rig listen on the loopback.
func overTCP(r *rig, s *setup) {
	s.listen = func() (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			r.connect, r.portal = new(net.Dialer).DialContext, l.Addr().String()
		}
		return l, err
	}
}

func newUnit(store scsi.Store) *scsi.Unit {
	u := scsi.NewUnit(scsi.UnitOptions{Store: store, Logger: zerolog.Nop()})
	u.SetGeometry(scsi.Geometry{BlockSize: blockSize, PhysicalBlock: 4096, Blocks: diskSize / blockSize})
	u.SetReady(true)
	return u
}

// options are those of an initiator at the rig.
func (r *rig) options(change ...func(*initiator.Options)) initiator.Options {
	o := initiator.Options{Portal: r.portal, Target: disk, InitiatorName: client, Dial: r.connect}
	for _, f := range change {
		f(&o)
	}
	return o
}

// dial logs in and takes the attention that a new nexus gets.
func (r *rig) dial(change ...func(*initiator.Options)) *initiator.Session {
	r.t.Helper()
	s, err := initiator.Dial(r.t.Context(), r.options(change...))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(s.Abandon)
	if err := s.Ready(r.t.Context(), 0); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// targets is a Catalog.
type targets map[string]*Target

func (c targets) Target(name string) (*Target, bool) {
	t, ok := c[name]
	return t, ok
}

func (c targets) Targets(string, net.Addr) []TargetInfo {
	var list []TargetInfo
	for name := range c {
		list = append(list, TargetInfo{Name: name, Portals: []string{"192.0.2.1:3260,1", "[2001:db8::1]:3261,1"}})
	}
	slices.SortFunc(list, func(a, b TargetInfo) int { return len(a.Name) - len(b.Name) })
	return list
}

// pool is a Buffers that spoils what it gets back, so that late users are seen.
type pool struct {
	mu        sync.Mutex
	left, out int
}

func (p *pool) Get(n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > p.left {
		return nil
	}
	p.left -= n
	p.out += n
	return make([]byte, n)
}

func (p *pool) Put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left += len(b)
	p.out -= len(b)
	for i := range b {
		b[i] = 0xdd
	}
}

func (p *pool) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out
}

// gate holds calls of a store until it is opened, or their context ends.
type gate struct {
	entered chan string   // calls that came, as "write 4096+512"
	open    chan struct{} // closed to let all through
	left    chan string   // those that ended for their context
}

func newGate() *gate {
	return &gate{entered: make(chan string, 1024), open: make(chan struct{}), left: make(chan string, 1024)}
}

// hold is for Mem.Hold: it holds the calls of the given kinds.
func (g *gate) hold(kinds ...string) func(ctx context.Context, call string, off, n int64) error {
	return func(ctx context.Context, call string, off, n int64) error {
		if !slices.Contains(kinds, call) {
			return ctx.Err()
		}
		name := fmt.Sprintf("%s %d+%d", call, off, n)
		g.entered <- name
		select {
		case <-g.open:
			return nil
		case <-ctx.Done():
			g.left <- name
			return ctx.Err()
		}
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

// pattern fills p with bytes that tell their place.
func pattern(p []byte, seed int) []byte {
	for i := range p {
		p[i] = byte(i>>9) ^ byte(i*7) ^ byte(seed*31)
	}
	return p
}

var _ io.Closer = (*socktest.PipeListener)(nil)
