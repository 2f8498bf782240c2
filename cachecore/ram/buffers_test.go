package ram

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"unsafe"

	"pgregory.net/rapid"
)

func arenaOf(t testing.TB, n int64) *Arena {
	t.Helper()
	a, err := NewArena(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestArenaIsCarvedAtPages(t *testing.T) {
	a := arenaOf(t, 100<<10+1)
	t.Logf("locked: %v", a.Locked())
	p, q := a.Take(5000), a.Take(4096)
	if len(p) != 8192 || len(q) != 4096 || a.Left() != 92<<10 || a.Take(93<<10) != nil || a.Take(0) != nil {
		t.Fatal(len(p), len(q), a.Left())
	}
	if uintptr(unsafe.Pointer(&q[0]))%4096 != 0 {
		t.Fatal("not aligned")
	}
	p[8191], q[0] = 1, 2
	if _, err := NewArena(0); err == nil {
		t.Error("an arena of nothing")
	}
	if _, err := NewArena(1 << 60); err == nil {
		t.Error("an arena of 1 EiB")
	}
}

func TestBuffersDontOverlapAndComeBackWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pages := rapid.IntRange(1, 3000).Draw(r, "pages")
		mem := make([]byte, pages*pageSize)
		b := NewBuffers(mem)
		var out [][]byte
		r.Repeat(map[string]func(*rapid.T){
			"get": func(r *rapid.T) {
				n := rapid.IntRange(0, MaxBuffer+1).Draw(r, "n")
				p := b.Get(n)
				if p == nil {
					return
				}
				if len(p) != n || cap(p) < n {
					r.Fatalf("%d bytes of %d", len(p), n)
				}
				for at := 0; at < cap(p); at += pageSize {
					if p[:cap(p)][at] != 0 {
						r.Fatalf("byte %d of a buffer is someone else's", at)
					}
					p[:cap(p)][at] = 1
				}
				out = append(out, p)
			},
			"put": func(r *rapid.T) {
				if len(out) == 0 {
					return
				}
				i := rapid.IntRange(0, len(out)-1).Draw(r, "which")
				for at := 0; at < cap(out[i]); at += pageSize {
					out[i][:cap(out[i])][at] = 0
				}
				b.Put(out[i][:len(out[i])/2])
				out = append(out[:i], out[i+1:]...)
			},
			"": func(r *rapid.T) {
				free := int64(len(mem))
				for _, p := range out {
					free -= int64(cap(p))
				}
				if b.Free() != free {
					r.Fatalf("%d bytes free, should be %d", b.Free(), free)
				}
			},
		})
		for _, p := range out {
			b.Put(p)
		}
		for at := 0; at < pages; { // the largest aligned pieces are whole again
			order := orders - 1
			for at&(1<<order-1) != 0 || at+1<<order > pages {
				order--
			}
			if b.Get(pageSize<<order) == nil {
				r.Fatalf("%d pages at %d are not whole", 1<<order, at)
			}
			at += 1 << order
		}
	})
}

func TestBuffersAreBounded(t *testing.T) {
	b := NewBuffers(make([]byte, 64<<10))
	p := b.Get(40 << 10)
	if p == nil || b.Get(4096) != nil {
		t.Fatal("a piece takes a power of two")
	}
	if b.Get(MaxBuffer+1) != nil || b.Get(-1) != nil {
		t.Fatal("nonsense was given")
	}
	b.Put(nil)
	b.Put(p)
	if b.Free() != 64<<10 {
		t.Fatal(b.Free())
	}
}

func TestPuttingTwiceIsNoticed(t *testing.T) {
	b := NewBuffers(make([]byte, 64<<10))
	p := b.Get(4096)
	b.Put(p)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.Put(p)
}

func TestAcquireWaitsInLineForAllItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBuffers(make([]byte, 64<<10))
		held := b.Get(32 << 10)
		var served atomic.Int32
		var all sync.WaitGroup
		for _, sizes := range [][]int{{32 << 10, 16 << 10}, {4096}} { // the second could be served at once

			all.Go(func() {
				into := make([][]byte, len(sizes))
				if err := b.Acquire(t.Context(), into, sizes); err != nil {
					t.Error(err)
				}
				served.Add(1)
				for _, p := range into {
					b.Put(p)
				}
			})
			synctest.Wait()
		}
		if b.Free() != 32<<10 || served.Load() != 0 {
			t.Fatalf("%d bytes free while two wait, %d served", b.Free(), served.Load())
		}
		b.Put(held)
		all.Wait()
		if b.Free() != 64<<10 {
			t.Fatal(b.Free())
		}
	})
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBuffers(make([]byte, 64<<10))
		held := b.Get(64 << 10)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error), make(chan error)
		go func() { first <- b.Acquire(ctx, make([][]byte, 1), []int{64 << 10}) }()
		synctest.Wait()
		go func() { second <- b.Acquire(t.Context(), make([][]byte, 1), []int{4096}) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		b.Put(held)
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		if b.Free() != 60<<10 {
			t.Fatal(b.Free())
		}
		if err := b.Acquire(t.Context(), make([][]byte, 2), []int{64 << 10, 1}); !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
	})
}

func TestAcquireUnderPressureLosesNothing(t *testing.T) {
	b := NewBuffers(make([]byte, 256<<10))
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 4))
			for range 500 {
				sizes := make([]int, 1+r.IntN(3))
				for i := range sizes {
					sizes[i] = 1 + r.IntN(64<<10)
				}
				ctx, cancel := context.WithCancel(context.Background())
				if r.IntN(4) == 0 {
					go cancel()
				}
				into := make([][]byte, len(sizes))
				if b.Acquire(ctx, into, sizes) == nil {
					for _, p := range into {
						b.Put(p)
					}
				}
				cancel()
			}
		})
	}
	all.Wait()
	if b.Free() != 256<<10 {
		t.Fatal(b.Free())
	}
}
