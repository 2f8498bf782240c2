package volume

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	blk = cachecore.BlockSize
)

// rig is a volume over a memory array. Its cleanup closes the volume and finds that nothing is lost: no buffer, no pin, no cached block.
type rig struct {
	*Volume
	t       tester
	mem     *arraytest.Mem
	counts  *stats.Volume
	buffers *ram.Buffers
	store   *ram.Store
	reads   atomic.Int64 // array reads that began
}

// tester is a test, a benchmark or a rapid.T.
type tester interface {
	Helper()
	Cleanup(func())
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// wishes are what a test wants of its rig; zero values are 4 MiB of array, 1024 blocks of cache and 16 MiB of buffers.
type wishes struct {
	info    cachecore.ArrayInfo
	blocks  int
	buffers int
	o       Options
	array   func(*arraytest.Mem) cachecore.Array // what the volume sees of it
	// unyielding says that the array's reads can't be given up.
	unyielding bool
}

func newRig(t tester, w wishes) *rig {
	t.Helper()
	or := func(v *int, other int) {
		if *v == 0 {
			*v = other
		}
	}
	or(&w.blocks, 1024)
	or(&w.buffers, 16*mib)
	if w.info.Size == 0 {
		w.info.Size = 4 * mib
	}
	store, err := ram.NewStore(make([]byte, w.blocks*blk))
	if err != nil {
		t.Fatal(err)
	}
	w.info.Interruptible = !w.unyielding
	r := &rig{t: t, mem: arraytest.NewMem(w.info), counts: new(stats.Volume), buffers: ram.NewBuffers(make([]byte, w.buffers)), store: store}
	r.intercept(nil)
	w.o.Object, w.o.Array, w.o.Store, w.o.Buffers, w.o.Stats = 1, r.mem, store, r.buffers, r.counts
	if w.array != nil {
		w.o.Array = w.array(r.mem)
	}
	r.Volume = New(w.o)
	t.Cleanup(func() {
		r.mem.LetGo()
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if st := store.Stats(); st.PinnedBytes != 0 || st.UsedBytes != 0 || r.buffers.Free() != int64(w.buffers) {
			t.Errorf("left behind: %d bytes pinned, %d cached, %d of %d of buffers free", st.PinnedBytes, st.UsedBytes, r.buffers.Free(), w.buffers)
		}
		if n := r.mem.Overlaps(); n != 0 {
			t.Errorf("%d overlapping changes reached the array (B7)", n)
		}
	})
	return r
}

// intercept counts reads and calls f, if not nil.
func (r *rig) intercept(f arraytest.Interceptor) {
	r.mem.Intercept(func(ctx context.Context, op arraytest.Op, at arraytest.Stage) error {
		if op.Kind == arraytest.Read && at == arraytest.Before {
			r.reads.Add(1)
		}
		if f == nil {
			return nil
		}
		return f(ctx, op, at)
	})
}

// record is what reached the array, in the order in which it was done.
type record struct {
	sync.Mutex
	ops []arraytest.Op
}

// record begins one, in place of what intercepts.
func (r *rig) record() *record {
	rec := &record{}
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if at == arraytest.After {
			rec.Lock()
			defer rec.Unlock()
			rec.ops = append(rec.ops, op)
		}
		return nil
	})
	return rec
}

// bytes is how much was transferred.
func (rec *record) bytes() (sum int64) {
	rec.Lock()
	defer rec.Unlock()
	for _, op := range rec.ops {
		sum += op.Len
	}
	return sum
}

// collected is a sink that keeps the pins until release.
type collected struct {
	parts  [][]byte
	owners []cachecore.Releaser
	tokens []uint64
}

func (c *collected) Add(p []byte, owner cachecore.Releaser, token uint64) {
	c.parts, c.owners, c.tokens = append(c.parts, p), append(c.owners, owner), append(c.tokens, token)
}

func (c *collected) release() {
	for i, o := range c.owners {
		o.Release(c.tokens[i])
	}
	c.parts, c.owners, c.tokens = c.parts[:0], c.owners[:0], c.tokens[:0]
}

func (c *collected) bytes() []byte { return bytes.Join(c.parts, nil) }

func (r *rig) read(off int64, n int) ([]byte, error) {
	var c collected
	defer c.release()
	err := r.Read(context.Background(), &c, off, n)
	if err != nil && len(c.parts) > 0 {
		r.t.Error("a read that failed appended to its sink")
	}
	return c.bytes(), err
}

// now is what the cache has of a range; nil: it doesn't have it all.
func (r *rig) now(off int64, n int) []byte {
	var c collected
	defer c.release()
	if !r.ReadNow(&c, off, n) {
		return nil
	}
	return c.bytes()
}

func (r *rig) mustRead(off int64, want []byte) {
	r.t.Helper()
	got, err := r.read(off, len(want))
	if err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		r.t.Fatalf("other bytes at %d+%d", off, len(want))
	}
}

// mustHit finds the range in the cache.
func (r *rig) mustHit(off int64, want []byte) {
	r.t.Helper()
	if got := r.now(off, len(want)); !bytes.Equal(got, want) {
		r.t.Fatalf("the cache has other bytes at %d+%d, or not all (%d)", off, len(want), len(got))
	}
}

func (r *rig) mustMiss(off int64, n int) {
	r.t.Helper()
	if r.now(off, n) != nil {
		r.t.Fatalf("the cache has %d bytes at %d", n, off)
	}
}

func (r *rig) mustWrite(p []byte, off int64) {
	r.t.Helper()
	if err := r.Write(context.Background(), p, off, false); err != nil {
		r.t.Fatal(err)
	}
}

// onArray writes past the volume, before it has cached anything there.
func (r *rig) onArray(p []byte, off int64) {
	r.t.Helper()
	if err := r.mem.WriteAt(context.Background(), p, off, cachecore.WriteOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// start runs f and returns where its error will be.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// of is n bytes of one letter.
func of(letter byte, n int) []byte { return bytes.Repeat([]byte{letter}, n) }
