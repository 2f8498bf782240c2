package bench

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/portmap"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// filer is an NFS server of one export with one folder in it, and one file in that at most, for tests that want to know what it does to a
// client. Its handles are the paths.
type filer struct {
	t      testing.TB
	server *rpc.Server
	port   string

	quick atomic.Bool // READ and WRITE are answered at once: there is nothing to intercept, and reads beside writes are torn

	mu      sync.Mutex
	hook    func(p nfs.Procedure, a, r nfs.Message) bool
	content []byte // nil: there is no file
	calls   map[nfs.Procedure]int
	conns   map[net.Conn]struct{}
	callers []rpc.Credentials
	boot    nfs.Verifier
	links   map[string]nfs.FileType // what else there is
	refuses map[string]mount.Status // what can't be mounted, and why
}

const (
	filerExport = "/export"
	filerFile   = "/export/vms/disk.img"
	filerMax    = 128 << 10 // bytes of a transfer
)

// newFiler serves a file of so many bytes; 0: none.
func newFiler(t testing.TB, size int) *filer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveFiler(t, l, size)
}

func serveFiler(t testing.TB, l net.Listener, size int) *filer {
	t.Helper()
	f := &filer{t: t, calls: map[nfs.Procedure]int{}, conns: map[net.Conn]struct{}{}}
	if size > 0 {
		f.content = make([]byte, size)
	}
	port := uint32(0)
	if at, ok := l.Addr().(*net.TCPAddr); ok {
		f.port, port = strconv.Itoa(at.Port), uint32(at.Port)
	}
	f.server = rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{f, mount.NewServer(f),
		portmap.Server{{Program: mount.Program, Version: mount.Version, Protocol: portmap.TCP, Port: port}}}})
	serve(t, f.server, &cuttable{l, f})
	return f
}

// serve serves a listener until the test ends.
func serve(t testing.TB, s *rpc.Server, l net.Listener) {
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(context.Background(), l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		serving.Wait()
	})
}

func (f *filer) url() string {
	return "nfs://127.0.0.1:" + f.port + filerFile + "?mount-port=" + f.port
}

// cuttable remembers the connections, so that cut can close them.
type cuttable struct {
	net.Listener
	filer *filer
}

func (l *cuttable) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.filer.mu.Lock()
		l.filer.conns[c] = struct{}{}
		l.filer.mu.Unlock()
	}
	return c, err
}

// cut ends all connections.
func (f *filer) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close()
		delete(f.conns, c)
	}
}

// intercept has a function asked before calls are executed; false: it has filled in the result.
func (f *filer) intercept(hook func(p nfs.Procedure, a, r nfs.Message) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// change gives f the content to look at or to spoil.
func (f *filer) change(do func(content []byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f.content)
}

func (f *filer) count(p nfs.Procedure) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[p]
}

func (f *filer) Exports() []mount.Export { return []mount.Export{{Dir: filerExport}} }

func (f *filer) Mount(_ context.Context, _ netip.AddrPort, p string) ([]byte, []rpc.Flavor, error) {
	if why, ok := f.refuses[p]; ok {
		return nil, nil, why
	}
	if p != filerExport {
		return nil, nil, mount.ErrNoEnt
	}
	return []byte(p), []rpc.Flavor{rpc.AuthSys}, nil
}

func (f *filer) Number() uint32             { return nfs.Program }
func (f *filer) Versions() (uint32, uint32) { return nfs.Version, nfs.Version }

func (f *filer) Serve(_ context.Context, c *rpc.Call) {
	p := nfs.Procedure(c.Procedure)
	a, r := nfs.NewMessages(p)
	d := xdr.NewDecoder(c.Args)
	if a.Decode(&d); d.Err() != nil {
		c.Fail(rpc.GarbageArgs)
		return
	}
	f.mu.Lock()
	f.calls[p]++
	cred := c.Cred
	cred.Machine = nil
	f.callers = append(f.callers, cred)
	hook := f.hook
	f.mu.Unlock()
	if hook == nil || hook(p, a, r) {
		f.execute(a, r)
	}
	r.Encode(&c.Results)
}

// Inline answers a READ or WRITE at once, from memory, if the filer is quick.
func (f *filer) Inline(c *rpc.Call) bool {
	d := xdr.NewDecoder(c.Args)
	switch p := nfs.Procedure(c.Procedure); {
	case f.quick.Load() && p == nfs.ProcRead:
		var a nfs.ReadArgs
		a.Decode(&d)
		(&nfs.ReadResult{Count: a.Count}).EncodeHead(&c.Results)
		c.Data.Add(f.content[a.Offset:][:a.Count], nil, 0)
		return true
	case f.quick.Load() && p == nfs.ProcWrite:
		var a nfs.WriteArgs
		a.Decode(&d)
		(&nfs.WriteResult{Count: uint32(copy(f.content[a.Offset:], a.Data))}).Encode(&c.Results)
		return true
	}
	return false
}

func (f *filer) execute(a, r nfs.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch a := a.(type) {
	case *nfs.DirOp:
		f.lookup(string(a.Dir)+"/"+a.Name, r.(*nfs.LookupResult))
	case *nfs.CreateArgs:
		f.content = []byte{}
	case *nfs.SetAttrArgs:
		f.content = append(f.content, make([]byte, int(a.Attr.Size.Value)-len(f.content))...)
	case *nfs.HandleArgs:
		if info, ok := r.(*nfs.FSInfoResult); ok {
			info.ReadMax, info.WriteMax = filerMax, filerMax
		} else {
			r.(*nfs.GetAttrResult).Attr = nfs.Attr{Type: nfs.Regular, Size: uint64(len(f.content))}
		}
	case *nfs.ReadArgs:
		r := r.(*nfs.ReadResult)
		at := min(int(a.Offset), len(f.content))
		r.Data = append([]byte(nil), f.content[at:min(at+min(int(a.Count), filerMax), len(f.content))]...)
		r.Count, r.EOF = uint32(len(r.Data)), at+len(r.Data) == len(f.content)
	case *nfs.WriteArgs:
		*r.(*nfs.WriteResult) = nfs.WriteResult{Count: uint32(copy(f.content[a.Offset:], a.Data)), Committed: a.Stable, Verifier: f.boot}
	case *nfs.CommitArgs:
		r.(*nfs.CommitResult).Verifier = f.boot
	}
}

func (f *filer) lookup(path string, r *nfs.LookupResult) {
	attr := nfs.Attr{Type: nfs.Directory}
	if kind, ok := f.links[path]; ok {
		r.Object, r.Attr = nfs.Handle(path), nfs.Some(nfs.Attr{Type: kind})
		return
	}
	switch {
	case path == filerFile && f.content != nil:
		attr = nfs.Attr{Type: nfs.Regular, Size: uint64(len(f.content))}
	case path == filerFile || !strings.HasPrefix(filerFile, path+"/"):
		r.Status = nfs.ErrNoEnt
		return
	}
	r.Object, r.Attr = nfs.Handle(path), nfs.Some(attr)
}
