package nfsmodel

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/server"
	"forebay/protocols/nfs/server/servertest"
)

// call is one procedure on its way to the file system behind a server.
type call struct {
	caller *nfs.Caller
	proc   nfs.Procedure
	args   nfs.Message
	result nfs.Message
}

// liar is a file system that tells the truth, apart from what lie makes of it.
type liar struct {
	*nfstest.Mem

	mu    sync.Mutex
	lie   lie // nil: none
	count int
}

// lie answers a call, for which it may ask for the truth.
type lie = func(c *call, truth func() error) error

// tell makes the liar tell something else from now on.
func (l *liar) tell(what lie) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = what
}

func (l *liar) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	truth := func() error { return l.Mem.Do(ctx, c, p, a, r) }
	l.mu.Lock()
	lie := l.lie
	l.mu.Unlock()
	if lie == nil {
		return truth()
	}
	return lie(&call{c, p, a, r}, truth)
}

// root executes something else as root.
func (l *liar) root(p nfs.Procedure, a, r nfs.Message) error {
	return l.Mem.Do(context.Background(), &nfs.Caller{}, p, a, r)
}

// every says whether this is one of every so many times that it is asked.
func (l *liar) every(many int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return l.count%many == 0
}

func newLiar() *liar { return &liar{Mem: nfstest.New(nfstest.Options{})} }

// serve serves a file system until the test ends, and returns the options to check it with.
func serve(t *testing.T, l *liar) Options {
	t.Helper()
	files := &servertest.Files{FileSystem: l}
	files.Cold.Store(true)
	e := &server.Export{ID: 1, Path: "/export", Files: files, Root: func(context.Context) (nfs.Handle, error) { return l.Root(), nil }}
	s, err := server.New(server.Options{Exports: []*server.Export{e}, Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{s, mount.NewServer(s)}})
	served := make(chan error, 1)
	go func() { served <- calls.Serve(context.Background(), listener) }()
	t.Cleanup(func() {
		calls.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	address := listener.Addr().String()
	return Options{Address: address, MountAddress: address, Export: "/export", Seed: *firstSeed, Straggle: 5 * time.Millisecond,
		Callers: []nfs.Caller{{}, {UID: 1001, GID: 1001, GIDs: []uint32{2001}}}, Logf: t.Logf}
}

// open returns a checker that is closed with the test.
func open(t *testing.T, o Options) *Checker {
	t.Helper()
	c, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
