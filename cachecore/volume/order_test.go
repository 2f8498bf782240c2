package volume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestB7_OverlappingWritesReachTheArrayOneByOneInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		first := r.mem.Hold(arraytest.Before, nil)
		var done []<-chan error
		for i := range byte(8) { // they share a block, not a byte
			off := int64(i%2) * 512
			done = append(done, start(func() error { return r.Write(context.Background(), of('a'+i, 512), off, false) }))
			synctest.Wait()
		}
		<-first.Arrived()
		elsewhere := start(func() error { return r.Write(context.Background(), of('z', blk), blk, false) })
		if err := <-elsewhere; err != nil { // is not held up
			t.Error(err)
		}
		first.Release(nil)
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
		r.mustRead(0, append(of('g', 512), of('h', 512)...))
	})
}

func TestB7_DiscardsAreSerialisedWithWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib, Thin: true, UnmapZeroes: true}})
		held := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Unmap, 0))
		discarded := start(func() error { return r.Discard(context.Background(), 0, 64*kib, true) })
		<-held.Arrived()
		written := start(func() error { return r.Write(context.Background(), of('a', blk), blk, false) })
		synctest.Wait()
		held.Release(nil)
		if err := errors.Join(<-discarded, <-written); err != nil {
			t.Error(err)
		}
		r.mustRead(0, append(make([]byte, blk), of('a', blk)...))
	})
}

func TestB7_AWaitingWriteThatIsCancelledLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		held := r.mem.Hold(arraytest.Before, nil)
		first := start(func() error { return r.Write(context.Background(), of('a', blk), 0, false) })
		<-held.Arrived()
		ctx, cancel := context.WithCancel(context.Background())
		second := start(func() error { return r.Write(ctx, of('b', 2*blk), 0, false) })
		synctest.Wait()
		third := start(func() error { return r.Write(context.Background(), of('c', blk), blk, false) }) // behind the second only
		synctest.Wait()
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-third; err != nil {
			t.Error(err)
		}
		held.Release(nil)
		if err := <-first; err != nil {
			t.Error(err)
		}
		r.mustHit(0, append(of('a', blk), of('c', blk)...))
	})
}

func TestB7_RangeLockExcludesOverlaps(t *testing.T) {
	l := newRangeLock()
	var owners [64]atomic.Int32
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for range 2000 {
				first, n := r.IntN(60), 1+r.IntN(4)
				ctx, cancel := context.WithCancel(context.Background())
				if r.IntN(8) == 0 {
					go cancel()
				}
				held, err := l.acquire(ctx, cachecore.Block(first), uint64(n))
				cancel()
				if err != nil {
					continue
				}
				for i := range n {
					if owners[first+i].Add(1) != 1 {
						t.Error("two hold the same block")
					}
				}
				runtime.Gosched()
				for i := range n {
					owners[first+i].Add(-1)
				}
				l.release(held)
			}
		})
	}
	workers.Wait()
	if l.mu.oldest != nil || l.mu.newest != nil || len(l.places) != 0 {
		t.Error("the line isn't empty")
	}
}

func TestE2_FUAAndFlushArePassedOn(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib, WriteCache: true}})
	var ops []string
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if at == arraytest.Before {
			ops = append(ops, fmt.Sprintf("%v %v", op.Kind, op.FUA))
		}
		return nil
	})
	ctx := context.Background()
	if err := errors.Join(r.Write(ctx, of('a', 512), 0, true), r.Write(ctx, of('b', 512), 512, false), r.Flush(ctx), r.Write(ctx, of('c', 512), 1024, false)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ops); got != "[write true write false flush false write false]" {
		t.Error(got)
	}
	boom := errors.New("boom")
	r.intercept(func(context.Context, arraytest.Op, arraytest.Stage) error { return boom })
	if err := r.Flush(ctx); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestE3_AWriteOfUnknownOutcomeDropsItsBlocks(t *testing.T) {
	cases := map[string]struct {
		at  arraytest.Stage
		err error
	}{
		"unknown, landed":     {arraytest.After, cachecore.ErrUnknownOutcome},
		"unknown, not landed": {arraytest.Before, cachecore.ErrUnknownOutcome},
		"medium error":        {arraytest.After, errors.New("medium error")},
		"no space":            {arraytest.Before, cachecore.ErrNoSpace},
		"away":                {arraytest.Before, cachecore.ErrUnavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, wishes{})
			r.mustWrite(of('a', 4*blk), 0)
			write := r.mem.Hold(c.at, arraytest.Of(arraytest.Write, blk))
			written := start(func() error { return r.Write(context.Background(), of('b', blk+512), blk, false) })
			<-write.Arrived()
			r.mustMiss(blk, 512)
			write.Release(c.err)
			if err := <-written; !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			r.mustMiss(blk, 512)
			r.mustMiss(2*blk, 512)
			if used := r.store.Stats().UsedBytes; used != 2*blk {
				t.Errorf("%d bytes are cached", used)
			}
			want := of('a', 4*blk)
			if c.at == arraytest.After {
				copy(want[blk:], of('b', blk+512))
			}
			r.mustRead(0, want)
		})
	}
}

func TestE3_ACancelledWriteDropsItsBlocks(t *testing.T) {
	r := newRig(t, wishes{})
	r.mustWrite(of('a', blk), 0)
	ctx, cancel := context.WithCancel(context.Background())
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 0))
	written := start(func() error { return r.Write(ctx, of('b', blk), 0, false) })
	<-write.Arrived()
	cancel()
	if err := <-written; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.mustMiss(0, blk)
	r.mustRead(0, of('b', blk))
}

func TestAWriteKeepsNothingOfTheCallersMemory(t *testing.T) {
	r := newRig(t, wishes{})
	p := of('a', 2*blk)
	r.mustWrite(p, 0)
	copy(p, of('x', len(p)))
	r.mustHit(0, of('a', 2*blk))
	if !bytes.Equal(p, of('x', len(p))) {
		t.Error("the caller's bytes have changed")
	}
}
