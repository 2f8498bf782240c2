package iscsi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"forebay/cachecore"
)

// Workers with a stripe each write, zero, unmap, flush, give up and read while connections are cut after random numbers of bytes, and the array
// loses its power. Each keeps a model:
// what each block holds, which after a change of unknown outcome is asked for.
func TestEqualsPlainBytesWhileConnectionsAndPowerAreCut(t *testing.T) {
	for _, info := range []cachecore.ArrayInfo{
		{Size: diskSize, WriteCache: true, Thin: true, UnmapZeroes: true},
		{Size: diskSize, LogicalBlock: 4096},
	} {
		t.Run(fmt.Sprintf("write cache %v", info.WriteCache), func(t *testing.T) { cutAtRandom(t, info) })
	}
}

func cutAtRandom(t *testing.T, info cachecore.ArrayInfo) {
	s := newSAN(t, info)
	w := &wire{}
	o := options(t, s.portal)
	o.Dial, o.BlockSize, o.Patience = w.dial, s.mem.Info().LogicalBlock, patience
	a := open(t, o)
	stop := make(chan struct{})
	var cuts sync.WaitGroup
	cuts.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.after.Store(20<<10 + r.Int64N(4<<20))
				w.cut()
				if r.IntN(3) == 0 {
					s.powerCut(func(int64) bool { return r.IntN(2) == 0 })
				}
			case <-stop:
				w.after.Store(0)
				return
			}
		}
	})
	const workers = 6
	var all sync.WaitGroup
	list := make([]*worker, workers)
	for i := range list {
		list[i] = newWorker(t, a, int64(i), diskSize/workers/4096*4096)
		all.Go(func() { list[i].run(300) })
	}
	all.Wait()
	close(stop)
	cuts.Wait()
	w.cut()
	for _, x := range list {
		x.verify(context.Background(), 0, x.blocks())
	}
	if err := a.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.powerCut(nil)
	for _, x := range list {
		x.verify(context.Background(), 0, x.blocks())
	}
}

// worker writes to a stripe of its own.
type worker struct {
	t       testing.TB
	a       *Array
	r       *rand.Rand
	off     int64
	block   int64
	content [][]byte // what each block holds
}

func newWorker(t testing.TB, a *Array, number, size int64) *worker {
	block := int64(a.Info().LogicalBlock)
	x := &worker{t: t, a: a, r: rand.New(rand.NewPCG(3, uint64(number))), off: number * size, block: block}
	x.content = make([][]byte, size/block)
	for i := range x.content {
		x.content[i] = make([]byte, block)
	}
	return x
}

func (x *worker) blocks() int { return len(x.content) }

func (x *worker) run(steps int) {
	for range steps {
		n := 1 + x.r.IntN(min(int((64<<10)/x.block), x.blocks()))
		at := x.r.IntN(x.blocks() - n + 1)
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if x.r.IntN(6) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(x.r.IntN(4000))*time.Microsecond)
		}
		x.step(ctx, at, n)
		cancel()
	}
}

func (x *worker) step(ctx context.Context, at, n int) {
	off, length := x.off+int64(at)*x.block, int64(n)*x.block
	p := make([]byte, length)
	switch x.r.IntN(10) {
	case 0:
		if err := x.a.Flush(ctx); err != nil && ctx.Err() == nil {
			x.t.Errorf("flush: %v", err)
		}
	case 1:
		x.changed(x.a.WriteZeroes(ctx, off, length, x.r.IntN(2) == 0), ctx, at, p)
	case 2:
		if x.a.Info().UnmapZeroes {
			x.changed(x.a.Unmap(ctx, off, length), ctx, at, p)
		}
	case 3, 4, 5:
		x.verify(ctx, at, n)
	default:
		for i := range p {
			p[i] = byte(x.r.Uint32())
		}
		x.changed(x.a.WriteAt(ctx, p, off, cachecore.WriteOptions{FUA: x.r.IntN(4) == 0}), ctx, at, p)
	}
}

// changed takes the outcome of a change into the model.
func (x *worker) changed(err error, ctx context.Context, at int, p []byte) {
	if err != nil && ctx.Err() == nil {
		x.t.Errorf("a change: %v", err)
	}
	unknown := errors.Is(err, cachecore.ErrUnknownOutcome)
	if err != nil && !unknown {
		return
	}
	if unknown { // what is read of it now would be lost in a power cut otherwise
		if err := x.a.Flush(context.Background()); err != nil {
			x.t.Errorf("flush: %v", err)
		}
	}
	for i := 0; len(p) > 0; i++ {
		if unknown {
			x.learn(at+i, p[:x.block])
		} else {
			x.content[at+i] = p[:x.block]
		}
		p = p[x.block:]
	}
}

// learn makes the model exact again where a change has an unknown outcome: it is either there or it isn't, and does not land later.
func (x *worker) learn(i int, p []byte) {
	got := make([]byte, x.block)
	if err := x.a.ReadAt(context.Background(), got, x.off+int64(i)*x.block); err != nil {
		x.t.Errorf("read after a change of unknown outcome: %v", err)
		return
	}
	if !bytes.Equal(got, p) && !bytes.Equal(got, x.content[i]) {
		x.t.Errorf("block %d at %d holds neither what was there nor what was written", i, x.off)
	}
	x.content[i] = got
}

func (x *worker) verify(ctx context.Context, at, n int) {
	p := make([]byte, int64(n)*x.block)
	if err := x.a.ReadAt(ctx, p, x.off+int64(at)*x.block); err != nil {
		if ctx.Err() == nil {
			x.t.Errorf("read: %v", err)
		}
		return
	}
	for i := range n {
		if got := p[int64(i)*x.block:][:x.block]; !bytes.Equal(got, x.content[at+i]) {
			x.t.Errorf("block %d at %d holds other bytes than were written", at+i, x.off)
			return
		}
	}
}
