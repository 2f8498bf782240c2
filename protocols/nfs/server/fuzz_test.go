package server

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/server/servertest"
	"forebay/protocols/nfs/xdr"
)

// How FuzzServe serves.
const (
	cold     = 1 << iota // nothing is answered at once
	long                 // handles are hashed
	readOnly             //
	stranger             // the client isn't admitted
	squashed             // all are
	genuine              // arguments that can be decoded get handles that are good: those of a directory and of a file in it
)

// FuzzServe serves arguments of any content. There is an answer; it can be decoded by a client, is no longer than it may be, and is the
// same if the call comes again and may not be executed twice. What may not be changed isn't.
func FuzzServe(f *testing.F) {
	f.Fuzz(func(t *testing.T, procedure, how byte, args []byte) {
		z := newFuzzed(t, how)
		p := nfs.Procedure(procedure) % (nfs.Procedures + 2)
		if how&genuine != 0 {
			args = z.furnish(p, args)
		}
		before := z.state()
		first, second := z.serve(p, args), z.serve(p, args)
		switch a, r := nfs.NewMessages(p); {
		case p == nfs.ProcNull:
			return // rpc answers it
		case len(first) == 0:
			d := xdr.NewDecoder(args)
			if a == nil {
				return
			}
			if a.Decode(&d); d.Err() == nil {
				t.Errorf("%v: no answer", p)
			}
		case decodeResult(first, r) != nil:
			t.Errorf("%v: % x: %v", p, first, decodeResult(first, r))
		case !p.Idempotent() && !exclusive(p, args) && !reflect.DeepEqual(first, second):
			t.Errorf("%v: % x\nthen % x", p, first, second)
		case how&(readOnly|stranger) != 0 && z.state() != before:
			t.Errorf("%v has changed something", p)
		}
		if n := z.files.Pins.Load(); n != 0 {
			t.Errorf("%d pieces of data are not given back", n)
		}
	})
}

func exclusive(p nfs.Procedure, args []byte) bool {
	var a nfs.CreateArgs
	d := xdr.NewDecoder(args)
	a.Decode(&d)
	return p == nfs.ProcCreate && a.Mode == nfs.Exclusive
}

// fuzzed is a server of a directory with a file.
type fuzzed struct {
	t         *testing.T
	mem       *nfstest.Mem
	files     *servertest.Files
	server    *Server
	dir, file nfs.Handle // the client's
}

func newFuzzed(t *testing.T, how byte) *fuzzed {
	o := nfstest.Options{}
	if how&long != 0 {
		o.HandleSize = nfs.MaxHandle
	}
	z := &fuzzed{t: t, mem: nfstest.New(o)}
	z.files = &servertest.Files{FileSystem: z.mem}
	z.files.Cold.Store(how&cold != 0)
	e := exportOf(1, "/x", z.mem, z.files)
	e.ReadOnly = how&readOnly != 0
	if how&squashed != 0 {
		e.Squash = SquashAll
	}
	if how&stranger != 0 {
		e.Clients = prefixes("192.0.2.0/24")
	}
	var err error
	if z.server, err = New(Options{Exports: []*Export{e}, LongHandles: new(MemLongHandles)}); err != nil {
		t.Fatal(err)
	}
	q := request{s: z.server, export: &export{Export: e}}
	file := z.mem.Put("dir/file", []byte("content"))
	z.dir, _, _ = q.wrap(t.Context(), nil, z.mem.Find("dir"))
	z.file, _, _ = q.wrap(t.Context(), nil, file)
	return z
}

// furnish puts good handles into arguments. Those of the file are for what is of no directory.
func (z *fuzzed) furnish(p nfs.Procedure, args []byte) []byte {
	a, _ := nfs.NewMessages(p)
	if a == nil {
		return args
	}
	d := xdr.NewDecoder(args)
	if a.Decode(&d); d.Err() != nil {
		return args
	}
	first, second := handlesOf(a)
	one, two := z.dir, z.dir
	if len(*first)%2 == 1 {
		one = z.file
	}
	*first = one
	if second != nil {
		*second = two
	}
	var e xdr.Encoder
	a.Encode(&e)
	return e.Bytes()
}

// serve serves a call, and returns its results.
func (z *fuzzed) serve(p nfs.Procedure, args []byte) []byte {
	c := &rpc.Call{CallHeader: rpc.CallHeader{XID: 5, Procedure: uint32(p)}, Remote: netip.MustParseAddrPort("127.0.0.1:700"), Args: args}
	c.Cred.Flavor = rpc.AuthSys
	if p == nfs.ProcNull {
		return nil
	}
	if !z.server.Inline(c) {
		if c.Results.Len() != 0 || c.Data.Len() != 0 {
			z.t.Errorf("%v is not answered at once, and yet something", p)
		}
		z.server.Serve(context.Background(), c)
	}
	if n := c.Results.Len() + c.Data.Len(); n > MaxTransfer+1024 {
		z.t.Errorf("%v: %d bytes", p, n)
	}
	whole := c.Results
	if p == nfs.ProcRead && c.Data.Len() > 0 {
		whole.Fixed(make([]byte, c.Data.Len()))
	}
	c.Data.Release()
	return whole.Bytes()
}

// state tells whether something has changed.
func (z *fuzzed) state() string {
	u := nfstest.User{T: z.t, FS: z.mem}
	dir := u.GetAttr(z.mem.Find("dir"))
	return fmt.Sprintf("%+v %+v %q", dir.Attr, u.GetAttr(z.mem.Find("dir/file")).Attr, z.mem.Get("dir/file"))
}
