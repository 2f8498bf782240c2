package server

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// still is a file system of one file that is all in memory.
type still struct {
	attr    nfs.Attr
	content []byte
	handle  nfs.Handle
}

func (s *still) Now(_ *nfs.Caller, p nfs.Procedure, a, r nfs.Message) bool {
	switch m := r.(type) {
	case *nfs.GetAttrResult:
		m.Attr = s.attr
	case *nfs.AccessResult:
		m.Access = a.(*nfs.AccessArgs).Access
	case *nfs.LookupResult:
		m.Object, m.Attr, m.DirAttr = s.handle, nfs.Some(s.attr), nfs.Some(s.attr)
	}
	return true
}

func (s *still) ReadNow(_ *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data Sink) bool {
	r.Attr, r.Count = nfs.Some(s.attr), a.Count
	data.Add(s.content[a.Offset:a.Offset+uint64(a.Count)], s, 1)
	return true
}

func (s *still) Do(context.Context, *nfs.Caller, nfs.Procedure, nfs.Message, nfs.Message) error {
	return nfs.ErrAway
}

func (s *still) Read(context.Context, *nfs.Caller, *nfs.ReadArgs, *nfs.ReadResult, Sink) error {
	return nfs.ErrAway
}

func (s *still) Release(uint64) {}

// counter is an Observer.
type counter struct{ n int }

func (c *counter) Observe(*Export, nfs.Procedure, int, time.Duration, nfs.Status) { c.n++ }

// hits are calls that are answered at once: the record of each, and of the handles that they have.
func hits(t testing.TB, handle nfs.Handle) (*Server, map[string][]byte) {
	t.Helper()
	fs := &still{attr: nfs.Attr{Type: nfs.Regular, Size: 1 << 20}, content: make([]byte, 1<<20), handle: handle}
	e := &Export{Path: "/x", Files: fs, Squash: SquashRoot, Clients: prefixes("10.0.0.0/8", "127.0.0.0/8")}
	long := new(MemLongHandles)
	s, err := New(Options{Exports: []*Export{e}, LongHandles: long, Observer: new(counter)})
	if err != nil {
		t.Fatal(err)
	}
	q := request{s: s, export: &export{Export: e}}
	h, _, err := q.wrap(t.Context(), nil, handle)
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string][]byte)
	for name, c := range map[string]struct {
		p nfs.Procedure
		a nfs.Message
	}{
		"GETATTR":     {nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}},
		"ACCESS":      {nfs.ProcAccess, &nfs.AccessArgs{Object: h, Access: 0x3f}},
		"LOOKUP":      {nfs.ProcLookup, &nfs.DirOp{Dir: h, Name: "name"}},
		"READ 4 KiB":  {nfs.ProcRead, &nfs.ReadArgs{File: h, Offset: 4096, Count: 4096}},
		"READ 64 KiB": {nfs.ProcRead, &nfs.ReadArgs{File: h, Offset: 4096, Count: 64 << 10}},
	} {
		e := xdr.NewEncoder(make([]byte, 4))
		cred := rpc.Credentials{Flavor: rpc.AuthSys, UID: 1000, GID: 100, Machine: []byte("host")}
		cred.SetGIDs([]uint32{0, 1, 2, 3, 4, 5, 6, 7})
		(&rpc.CallHeader{XID: 1, Program: nfs.Program, Version: nfs.Version, Procedure: uint32(c.p), Cred: cred}).Encode(&e)
		c.a.Encode(&e)
		binary.BigEndian.PutUint32(e.Bytes(), 1<<31|uint32(e.Len()-4))
		calls[name] = e.Bytes()
	}
	return s, calls
}

// The client's share of a round trip allocates nothing, so what is counted is the server's. A LOOKUP's is the name.
func TestHitsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, size := range []int{32, 64} {
		s, calls := hits(t, make(nfs.Handle, size))
		address := listenQuietly(t, s)
		for name, call := range calls {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			trip := roundTrip(t, c, call)
			for range 300 { // buffers grow to what they need
				trip()
			}
			want := 0.0
			if name == "LOOKUP" {
				want = 1
			}
			if n := testing.AllocsPerRun(500, trip); n > want {
				t.Errorf("%s, handles of %d bytes: %v allocations", name, size, n)
			}
			c.Close()
		}
	}
}

func listenQuietly(t testing.TB, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{s}})
	go func() { _ = server.Serve(context.Background(), l) }()
	t.Cleanup(func() { server.Shutdown(context.Background()) })
	return l.Addr().String()
}

// roundTrip returns what makes a call and takes its reply.
func roundTrip(t testing.TB, c net.Conn, call []byte) func() {
	t.Helper()
	answer := make([]byte, 1<<20)
	return func() {
		if _, err := c.Write(call); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer[:32]); err != nil {
			t.Fatal(err)
		}
		n := int(binary.BigEndian.Uint32(answer)&^(1<<31)) + 4
		if status := binary.BigEndian.Uint32(answer[28:]); status != 0 {
			t.Fatalf("status %d", status)
		}
		if _, err := io.ReadFull(c, answer[32:n]); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkInline is the server's own share: without rpc and its sockets.
func BenchmarkInline(b *testing.B) {
	s, calls := hits(b, make(nfs.Handle, 32))
	for _, name := range []string{"GETATTR", "READ 4 KiB", "LOOKUP"} {
		b.Run(name, func(b *testing.B) {
			var c rpc.Call
			d := xdr.NewDecoder(calls[name][4:])
			if err := c.Decode(&d); err != nil {
				b.Fatal(err)
			}
			c.Args, c.Remote = d.Rest(), local
			b.ReportAllocs()
			for b.Loop() {
				if c.Results.Truncate(0); !s.Inline(&c) {
					b.Fatal("not answered")
				}
				c.Data.Release()
			}
		})
	}
}
