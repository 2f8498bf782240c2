package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/server/servertest"
	"forebay/protocols/nfs/xdr"
)

// rig is a server of one file system in memory, as export 7, /export, on the loopback.
type rig struct {
	t       *testing.T
	mem     *nfstest.Mem
	files   *servertest.Files
	export  *Export
	server  *Server
	clock   *clock
	address string
}

// clock is the server's time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newRig(t *testing.T, mem nfstest.Options, change func(r *rig, o *Options)) *rig {
	t.Helper()
	r := &rig{t: t, mem: nfstest.New(mem), clock: &clock{now: time.Unix(1e9, 0)}}
	r.files = &servertest.Files{FileSystem: r.mem}
	r.export = exportOf(7, "/export", r.mem, r.files)
	o := Options{Exports: []*Export{r.export}, Key: [32]byte{1, 2, 3}, LongHandles: new(MemLongHandles), Now: r.clock.Now}
	if change != nil {
		change(r, &o)
	}
	var err error
	if r.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // when the server has ended
		if n := r.files.Pins.Load(); n != 0 {
			t.Errorf("%d pieces of data are not given back", n)
		}
	})
	r.address = listen(t, r.server)
	return r
}

func exportOf(id uint16, path string, m *nfstest.Mem, files *servertest.Files) *Export {
	return &Export{ID: id, Path: path, Files: files, Root: func(context.Context) (nfs.Handle, error) { return m.Root(), nil },
		Anon: nfs.Caller{UID: 65534, GID: 65533}}
}

// listen has programs served on the loopback, until the test is over.
func listen(t *testing.T, programs ...rpc.Program) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.NewServer(rpc.ServerOptions{Programs: programs})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// root is the handle that a client gets.
func (r *rig) root() nfs.Handle {
	r.t.Helper()
	h, _, err := r.server.Mount(r.t.Context(), netip.MustParseAddrPort("127.0.0.1:700"), r.export.Path)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// user is root at a client of the server.
func (r *rig) user() nfstest.User { return nfstest.User{T: r.t, FS: r.client("127.0.0.1")} }

// client calls from an address of the loopback.
func (r *rig) client(from string) *remote {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c := rpc.NewClient(rpc.ClientOptions{Address: r.address, Program: nfs.Program, Version: nfs.Version, Dial: d.DialContext})
	r.t.Cleanup(c.Close)
	return &remote{c: c, flavor: rpc.AuthSys}
}

// remote is the file system that a client sees.
type remote struct {
	c      *rpc.Client
	flavor rpc.Flavor
}

func (f *remote) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	q := &rpc.Request{Procedure: uint32(p), Cred: rpc.Credentials{Flavor: f.flavor, UID: c.UID, GID: c.GID}, Args: a}
	q.Cred.SetGIDs(c.GIDs)
	reply, err := f.c.Call(ctx, q)
	if err != nil {
		return err
	}
	defer reply.Release()
	return decodeResult(bytes.Clone(reply.Results), r)
}

// decodeResult decodes all of p.
func decodeResult(p []byte, r nfs.Message) error {
	d := xdr.NewDecoder(p)
	r.Decode(&d)
	if d.Err() == nil && len(d.Rest()) > 0 {
		return errors.New("there is more than the result")
	}
	return d.Err()
}

// raw is a connection on which a test chooses XIDs.
type raw struct {
	t   *testing.T
	net net.Conn
}

func (r *rig) raw(from string) *raw {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &raw{r.t, c}
}

func (c *raw) send(xid uint32, uid uint32, p nfs.Procedure, a nfs.Message) {
	c.t.Helper()
	e := xdr.NewEncoder(make([]byte, 4))
	h := rpc.CallHeader{XID: xid, Program: nfs.Program, Version: nfs.Version, Procedure: uint32(p),
		Cred: rpc.Credentials{Flavor: rpc.AuthSys, UID: uid}}
	h.Encode(&e)
	a.Encode(&e)
	q := e.Bytes()
	binary.BigEndian.PutUint32(q, 1<<31|uint32(len(q)-4))
	if _, err := c.net.Write(q); err != nil {
		c.t.Fatal(err)
	}
}

// reply returns the next reply: its results.
func (c *raw) reply() (xid uint32, results []byte) {
	c.t.Helper()
	var mark [4]byte
	if _, err := io.ReadFull(c.net, mark[:]); err != nil {
		c.t.Fatal(err)
	}
	p := make([]byte, binary.BigEndian.Uint32(mark[:])&^(1<<31))
	if _, err := io.ReadFull(c.net, p); err != nil {
		c.t.Fatal(err)
	}
	const header = 24
	if binary.BigEndian.Uint32(p[header-4:]) != 0 {
		c.t.Fatalf("not accepted: % x", p)
	}
	return binary.BigEndian.Uint32(p), p[header:]
}

func expect(t testing.TB, what string, got, want nfs.Status) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
