package nfs

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// program is NFS over a file system, as an rpc.Program; the export is its root, at /exp.
type program struct {
	fs    *nfstest.Mem
	twist *atomic.Pointer[twist] // nil, or of nothing: answers are what they are
}

// twist changes an answer, or says that it has given it.
type twist func(p wire.Procedure, r wire.Message, c *rpc.Call) bool

func (program) Number() uint32             { return wire.Program }
func (program) Versions() (uint32, uint32) { return wire.Version, wire.Version }

func (p program) Serve(ctx context.Context, c *rpc.Call) {
	a, r := wire.NewMessages(wire.Procedure(c.Procedure))
	if a == nil {
		c.Fail(rpc.ProcUnavail)
		return
	}
	d := xdr.NewDecoder(c.Args)
	if a.Decode(&d); d.Err() != nil {
		c.Fail(rpc.GarbageArgs)
		return
	}
	if read, ok := a.(*wire.ReadArgs); ok {
		r.(*wire.ReadResult).Data = make([]byte, read.Count)
	}
	caller := &wire.Caller{UID: c.Cred.UID, GID: c.Cred.GID, GIDs: c.Cred.GIDs()}
	if err := p.fs.Do(ctx, caller, wire.Procedure(c.Procedure), a, r); err != nil {
		c.Fail(rpc.SystemErr)
		return
	}
	if p.twist != nil {
		if f := p.twist.Load(); f != nil && (*f)(wire.Procedure(c.Procedure), r, c) {
			return
		}
	}
	r.Encode(&c.Results)
	if n := c.Results.Len() % 4; n != 0 {
		c.Results.Fixed(make([]byte, 4-n))
	}
}

// Exports and Mount make it a mount.Exporter.
func (p program) Exports() []mount.Export { return []mount.Export{{Dir: "/exp"}} }

func (p program) Mount(_ context.Context, _ netip.AddrPort, dir string) ([]byte, []rpc.Flavor, error) {
	if dir != "/exp" {
		return nil, nil, mount.ErrNoEnt
	}
	return p.fs.Root(), []rpc.Flavor{rpc.AuthSys}, nil
}

// san is a filer in memory, which is reached through pipes that a test can cut.
type san struct {
	t   testing.TB
	mem *nfstest.Mem

	twist atomic.Pointer[twist]

	mu struct {
		sync.Mutex
		server *rpc.Server // nil: it is down
		links  map[*link]struct{}
	}
	servers sync.WaitGroup
}

// link is the client's end of a connection.
type link struct {
	net.Conn
	san  *san
	once sync.Once
	gone chan struct{}
}

func (l *link) Close() error {
	l.once.Do(func() {
		l.san.mu.Lock()
		delete(l.san.mu.links, l)
		l.san.mu.Unlock()
		close(l.gone)
	})
	return l.Conn.Close()
}

func newSAN(t testing.TB, o nfstest.Options) *san {
	s := &san{t: t, mem: nfstest.New(o)}
	s.mu.links = map[*link]struct{}{}
	s.start(s.mem)
	return s
}

// start has it serve a file system.
func (s *san) start(mem *nfstest.Mem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem = mem
	s.mu.server = rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{program{mem, &s.twist}, mount.NewServer(program{fs: mem})}, IdleTimeout: time.Minute,
		Logger: zerolog.Nop()})
}

// stop ends the server with all its connections and what it executes.
func (s *san) stop() {
	s.mu.Lock()
	server := s.mu.server
	s.mu.server = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	server.Shutdown(now)
	s.servers.Wait()
}

// once is a listener of one connection.
type once struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func (o *once) Accept() (net.Conn, error) {
	select {
	case c := <-o.conns:
		return c, nil
	case <-o.done:
		return nil, net.ErrClosed
	}
}

func (o *once) Close() error   { o.close(); return nil }
func (o *once) Addr() net.Addr { return &net.UnixAddr{Name: "san", Net: "pipe"} }

func (s *san) dial(_ context.Context, _, _ string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.server == nil {
		return nil, &net.OpError{Op: "dial", Err: errRefused}
	}
	ours, theirs := net.Pipe()
	one := &once{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	one.close = sync.OnceFunc(func() { close(one.done) })
	one.conns <- theirs
	server := s.mu.server
	l := &link{Conn: ours, san: s, gone: make(chan struct{})}
	s.servers.Go(func() { _ = server.Serve(context.Background(), one) })
	s.servers.Go(func() { <-l.gone; one.Close() })
	s.mu.links[l] = struct{}{}
	return l, nil
}

type connectionRefused struct{}

func (connectionRefused) Error() string { return "connection refused" }

var errRefused = connectionRefused{}

// answer has it change its answers; nil: no more.
func (s *san) answer(f twist) {
	if f == nil {
		s.twist.Store(nil)
	} else {
		s.twist.Store(&f)
	}
}

// cut ends all connections.
func (s *san) cut() int {
	s.mu.Lock()
	var list []*link
	for l := range s.mu.links {
		list = append(list, l)
	}
	s.mu.Unlock()
	for _, l := range list {
		l.Close()
	}
	return len(list)
}

// events gathers what is told.
type events struct {
	mu   sync.Mutex
	list []Event
}

func (e *events) hear(one Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, one)
}

// reason is that of the first event.
func (e *events) reason() string {
	if all := e.all(); len(all) > 0 {
		return all[0].Reason
	}
	return ""
}

func (e *events) all() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Event(nil), e.list...)
}

// story runs a test in a bubble with a filer that is attached. Nothing may be left in the end.
func story(t *testing.T, play func(t *testing.T, f *Filer, s *san, told *events), change ...func(*Options)) {
	t.Helper()
	storyOf(t, nfstest.Options{}, play, change...)
}

func storyOf(t *testing.T, mem nfstest.Options, play func(t *testing.T, f *Filer, s *san, told *events), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSAN(t, mem)
		told := new(events)
		o := Options{Server: "filer", Export: "/exp", Port: 2049, MountPort: 20048, Connections: 2, Dial: s.dial, Watch: told.hear}
		for _, f := range change {
			f(&o)
		}
		defer s.stop()
		f, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		play(t, f, s, told)
	})
}

// user calls procedures of f as root.
func user(t testing.TB, f wire.FileSystem) nfstest.User { return nfstest.User{T: t, FS: f} }

// first means the first call that which means.
func first(which nfstest.Which) nfstest.Which {
	var seen atomic.Bool
	return func(p wire.Procedure, a wire.Message) bool { return which(p, a) && !seen.Swap(true) }
}

// later is a call on a goroutine.
func later(call func() error) <-chan error {
	came := make(chan error, 1)
	go func() { came <- call() }()
	return came
}

// writing writes p unstable.
func writing(ctx context.Context, f *Filer, h wire.Handle, off uint64, p string) <-chan error {
	return later(func() error {
		var r wire.WriteResult
		if err := f.Do(ctx, &wire.Caller{}, wire.ProcWrite, &wire.WriteArgs{File: h, Offset: off, Data: []byte(p)}, &r); err != nil {
			return err
		}
		if r.Status != wire.OK {
			return r.Status
		}
		return nil
	})
}

func mustBe(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// pending says that nothing has come after a moment in which everything has come to rest.
func pending(t testing.TB, what string, came <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-came:
		t.Fatalf("%s did not wait: %v", what, err)
	default:
	}
}
