package export

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/xdr"
)

const mib = 1 << 20

// rig is an export over a file system in memory.
type rig struct {
	*testing.T
	mem    *nfstest.Mem
	export *Export
	store  *ram.Store
	root   nfstest.User
}

func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	arena, err := ram.NewArena(32 * mib)
	if err != nil {
		t.Fatal(err)
	}
	store, err := ram.NewStore(arena.Take(16 * mib))
	if err != nil {
		t.Fatal(err)
	}
	mem := nfstest.New(nfstest.Options{})
	o := Options{Files: mem, Objects: new(Objects), Store: store, Buffers: ram.NewBuffers(arena.Take(16 * mib)), AttributeCache: time.Hour, ReadAhead: -1}
	for _, f := range change {
		f(&o)
	}
	r := &rig{T: t, mem: mem, export: New(o), store: store}
	r.root = nfstest.User{T: t, FS: client{r.export}}
	t.Cleanup(func() {
		ctx := context.Background()
		r.idle()
		if err := r.export.Close(ctx); err != nil {
			t.Error(err)
		}
		if free := o.Buffers.Free(); free != 16*mib {
			t.Errorf("%d bytes of buffers are free at the end", free)
		}
		if used := store.Stats().UsedBytes; used != 0 {
			t.Errorf("%d bytes are cached at the end", used)
		}
		if err := store.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := arena.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// idle checks that nothing is under way, nor in use.
func (r *rig) idle() {
	r.Helper()
	r.export.works.Wait()
	for _, n := range r.export.table.all() {
		if n.users != 0 || n.mu.view.changes != 0 || n.mu.view.relinks != 0 || len(n.mu.changing) != 0 || n.mu.asking != nil {
			r.Errorf("%x: %d users, %d changes, %d names", n.handle, n.users, n.mu.view.changes, len(n.mu.changing))
		}
		if !n.order.TryAcquire(everything) {
			r.Errorf("%x: the order is not free", n.handle)
			continue
		}
		n.order.Release(everything)
	}
}

// without is an export that takes nothing for true that it has not asked for.
func without(o *Options) { o.AttributeCache = 0 }

// client is an export as the server in front uses it: what can be answered now is.
type client struct{ *Export }

func (c client) Do(ctx context.Context, caller *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	a, reuse := received(p, a)
	defer reuse()
	if p == nfs.ProcRead {
		return c.read(ctx, caller, a.(*nfs.ReadArgs), r.(*nfs.ReadResult))
	}
	if c.Now(caller, p, a, r) {
		return nil
	}
	return c.Export.Do(ctx, caller, p, a, r)
}

// received is arguments as the server has them: in memory that has other content once the call is answered.
func received(p nfs.Procedure, a nfs.Message) (args nfs.Message, reuse func()) {
	var e xdr.Encoder
	a.Encode(&e)
	memory := e.Bytes()
	args, _ = nfs.NewMessages(p)
	d := xdr.NewDecoder(memory)
	args.Decode(&d)
	return args, func() {
		for i := range memory {
			memory[i] = 0xa5
		}
	}
}

func (c client) read(ctx context.Context, caller *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult) error {
	into, data := r.Data, new(pieces)
	if !c.ReadNow(caller, a, r, data) {
		if err := c.Read(ctx, caller, a, r, data); err != nil {
			return err
		}
	}
	r.Data = into[:copy(into, data.take())]
	return nil
}

// pieces is a server.Sink.
type pieces struct {
	bytes []byte
	list  []piece
}

type piece struct {
	owner cachecore.Releaser
	token uint64
}

func (p *pieces) Add(b []byte, owner cachecore.Releaser, token uint64) {
	p.bytes = append(p.bytes, b...)
	if owner != nil {
		p.list = append(p.list, piece{owner, token})
	}
}

func (p *pieces) take() []byte {
	for _, x := range p.list {
		x.owner.Release(x.token)
	}
	return p.bytes
}

// expect reads a file and compares it.
func (r *rig) expect(h nfs.Handle, want []byte) {
	r.Helper()
	got := r.root.Read(h, 0, uint32(len(want)+1))
	if got.Status != nfs.OK || !got.EOF || !bytes.Equal(got.Data, want) {
		r.Fatalf("%v, %d bytes, EOF %v; want %d bytes, the same: %v", got.Status, len(got.Data), got.EOF, len(want), bytes.Equal(got.Data, want))
	}
}

// asks counts the calls of a procedure that f causes.
func (r *rig) asks(p nfs.Procedure, f func()) int {
	before := r.mem.Calls(p)
	f()
	return r.mem.Calls(p) - before
}

// bytesAsked counts the bytes that READs ask for that f causes.
func (r *rig) bytesAsked(f func()) (n int) {
	var asked atomic.Int64
	defer r.mem.Hold(nfstest.Before, func(p nfs.Procedure, a nfs.Message) bool {
		if p == nfs.ProcRead {
			asked.Add(int64(a.(*nfs.ReadArgs).Count))
		}
		return false
	}).Release()
	f()
	return int(asked.Load())
}

func of(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }
