package ram

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"forebay/cachecore"
)

const blk = cachecore.BlockSize

// resizableOf is a store of that many blocks that may get most.
func resizableOf(t testing.TB, blocks, most int64) *Store {
	t.Helper()
	s, err := NewResizable(blocks*blk, most*blk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ended is a context that lets nobody wait.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// whole says what is wrong with the shards of a store that nobody uses.
func whole(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Store) {
	t.Helper()
	for i := range s.shards {
		sh := &s.shards[i]
		cached := 0
		for b := range sh.filed {
			for slot := sh.buckets[b]; slot != none; slot = sh.chain[slot] {
				if sh.bucketOf(key(sh.keys[slot])) != b || slot >= sh.limit {
					t.Fatalf("shard %d: slot %d is in bucket %d, limit %d", i, slot, b, sh.limit)
				}
				cached++
			}
		}
		if cached != sh.cached || sh.filed != sh.backed && sh.leaving == 0 || sh.free.n+sh.out != int(sh.limit+sh.leaving) {
			t.Fatalf("shard %d: %d in the table, %d cached; %d buckets, %d slots; %d free, %d out, %d leaving", i, cached, sh.cached, sh.filed, sh.limit, sh.free.n, sh.out, sh.leaving)
		}
	}
}

// Whatever is done to a store beside resizes, what it has is what was put, also where that is pinned, and no slot is lost.
func TestResizedStoreAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const most = 300
		s, err := NewResizable(rapid.Int64Range(200, most).Draw(r, "blocks")*blk, most*blk)
		if err != nil {
			r.Fatal(err)
		}
		model := map[cachecore.Block]uint32{}
		version := uint32(0)
		type pin struct {
			sink    pieceSink
			block   cachecore.Block
			version uint32
		}
		var pins []*pin
		release := func() {
			for _, p := range pins {
				if v, ok := versionOf(p.sink.parts[0], p.block); !ok || v != p.version {
					r.Fatalf("the pinned block %d is version %d, was %d", p.block, v, p.version)
				}
				p.sink.release()
			}
			pins = nil
		}
		draw := func(r *rapid.T) cachecore.Block { return cachecore.Block(rapid.IntRange(0, 400).Draw(r, "block")) }
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				block := draw(r)
				for n := rapid.IntRange(1, 20).Draw(r, "n"); n > 0; n-- {
					version++
					delete(model, block)
					if put(s, 1, block, version) {
						model[block] = version
					}
					block = (block + 1) % 400
				}
			},
			"publish after a resize": func(r *rapid.T) {
				block := draw(r)
				b := s.Prepare(1, block, 1)
				if b.Bytes(0) != nil {
					version++
					fill(b.Bytes(0), block, version)
				}
				if err := s.Resize(ended(), rapid.Int64Range(RunBlocks, most).Draw(r, "blocks")*blk); err != nil && !errors.Is(err, ErrPinned) {
					r.Fatal(err)
				}
				model[block] = version
				b.Publish()
				if v, ok := get(s, 1, block); ok && v != version {
					r.Fatalf("block %d is version %d after %d was published", block, v, version)
				}
			},
			"drop": func(r *rapid.T) {
				block, n := draw(r), rapid.Uint64Range(1, 1000).Draw(r, "n")
				s.Drop(1, block, n)
				for b := range cachecore.Block(1000) {
					if b >= block && uint64(b-block) < n {
						delete(model, b)
					}
				}
			},
			"pin": func(r *rapid.T) {
				p := &pin{block: draw(r)}
				if s.ReadNow(1, int64(p.block)*blk, blk, &p.sink) {
					p.version, _ = versionOf(p.sink.parts[0], p.block)
					pins = append(pins, p)
				}
			},
			"unpin": func(*rapid.T) { release() },
			"resize": func(r *rapid.T) {
				n := rapid.Int64Range(RunBlocks, most).Draw(r, "blocks")
				if err := s.Resize(ended(), n*blk); err != nil && !errors.Is(err, ErrPinned) {
					r.Fatal(err)
				}
				if used := s.Stats().UsedBytes; used > n*blk {
					r.Fatalf("%d blocks are cached in %d", used/blk, n)
				}
			},
			"": func(r *rapid.T) {
				whole(r, s)
				from := draw(r)
				for block := from; block < from+10; block++ {
					if v, ok := get(s, 1, block); ok && v != model[block] {
						r.Fatalf("block %d is version %d, should be %d", block, v, model[block])
					}
				}
			},
		})
		release()
		if err := s.Resize(r.Context(), most*blk); err != nil {
			r.Fatal(err)
		}
		s.DropObject(1)
		whole(r, s)
		for block := range cachecore.Block(most) {
			put(s, 1, block, 1)
		}
		if st := s.Stats(); st.UsedBytes != most*blk || st.PinnedBytes != 0 || st.Bytes != most*blk {
			r.Fatalf("it has not got all of its size: %+v", st)
		}
		if err := s.Close(r.Context()); err != nil {
			r.Fatal(err)
		}
	})
}

// Beside resizes readers see whole blocks, what is dropped is gone, and nothing is lost.
func TestReadersAndWritersBesideResizes(t *testing.T) {
	s := resizableOf(t, 4096, 8192)
	if len(s.shards) < 2 {
		t.Fatal("one shard only")
	}
	least, most := s.Limits()
	rounds := 4000
	if raceEnabled {
		rounds = 300
	}
	var ended atomic.Bool
	var all, resizer sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			var sink pieceSink
			for i := range rounds {
				block := cachecore.Block(r.IntN(9000))
				switch r.IntN(8) {
				case 0:
					s.Drop(1, block, 20)
				case 1, 2, 3:
					for b := range cachecore.Block(32) {
						put(s, 1, block+b, uint32(w<<16|i))
					}
				default:
					s.ReadNow(1, int64(block)*blk, blk, &sink)
				}
				if i%16 == 0 {
					wholeParts(t, &sink)
					sink.release()
				}
			}
			wholeParts(t, &sink)
			sink.release()
		})
	}
	all.Go(func() {
		for v := range uint32(rounds / 100) {
			for b := range cachecore.Block(500) {
				put(s, 2, b*7, v)
			}
			s.DropObject(2)
			for b := range cachecore.Block(500) {
				if _, ok := get(s, 2, b*7); ok {
					t.Errorf("block %d is there after its object was dropped", b*7)
				}
			}
		}
	})
	shrunk := 0
	resizer.Go(func() {
		r := rand.New(rand.NewPCG(9, 9))
		for !ended.Load() {
			if err := s.Resize(t.Context(), least+r.Int64N(most-least+1)); err != nil {
				t.Error(err)
			}
			shrunk++
		}
	})
	all.Wait()
	ended.Store(true)
	resizer.Wait()
	t.Logf("%d resizes, %d evictions", shrunk, s.Stats().Evictions)
	whole(t, s)
	if p := s.Stats().PinnedBytes; p != 0 {
		t.Errorf("%d bytes are pinned", p)
	}
}

// wholeParts: every block that was read says one thing.
func wholeParts(t *testing.T, sink *pieceSink) {
	for _, p := range sink.parts {
		if _, ok := versionOf(p, cachecore.Block(blockOf(p))); !ok {
			t.Errorf("block %d is mixed", blockOf(p))
		}
	}
}

func TestShrinkWaitsForPinsAndBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := resizableOf(t, 64, 64)
		for b := range cachecore.Block(64) {
			put(s, 1, b, 1)
		}
		var sink pieceSink
		for b := range cachecore.Block(64) {
			s.ReadNow(1, int64(b)*blk, blk, &sink)
		}
		s.Drop(1, 60, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Resize(ctx, 16*blk); !errors.Is(err, ErrPinned) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Bytes != 16*blk || st.UsedBytes != 16*blk || st.PinnedBytes != 64*blk {
			t.Errorf("%+v", st)
		}
		if put(s, 1, 100, 1) {
			t.Error("a slot that is leaving, or is pinned, was given out")
		}
		var done atomic.Bool
		go func() {
			if err := s.Resize(t.Context(), 32*blk); err != nil {
				t.Error(err)
			}
			done.Store(true)
		}()
		synctest.Wait()
		if done.Load() {
			t.Error("it has not waited")
		}
		wholeParts(t, &sink)
		sink.release()
		synctest.Wait()
		if !done.Load() || s.Stats().Bytes != 32*blk {
			t.Errorf("it waits on: %+v", s.Stats())
		}
		whole(t, s)
	})
}

// Between the moment from which slots are leaving and that when Resize has passed them they are cached yet.
func TestDropFindsWhatIsLeaving(t *testing.T) {
	s := resizableOf(t, 64, 64)
	for b := range cachecore.Block(64) {
		put(s, 1, b, 1)
	}
	sh := &s.shards[0]
	sh.limit, sh.leaving, sh.vacant = 32, 32, make(chan struct{})
	s.DropObject(1)
	if st := s.Stats(); st.UsedBytes != 0 || sh.leaving != 0 {
		t.Errorf("%+v, %d leaving", st, sh.leaving)
	}
	whole(t, s)
	if err := s.Resize(t.Context(), 64*blk); err != nil || sh.free.n != 64 {
		t.Errorf("%v, %d free", err, sh.free.n)
	}
}

func TestABatchWhoseSlotsLeaveIsDropped(t *testing.T) {
	s := resizableOf(t, 64, 64)
	for b := range cachecore.Block(RunBlocks) {
		put(s, 1, b, 1)
	}
	for b := range cachecore.Block(32) {
		put(s, 2, b, 1)
	}
	batch := s.Prepare(1, 0, RunBlocks) // the last slots
	for i := range RunBlocks {
		fill(batch.Bytes(i), cachecore.Block(i), 2)
	}
	if err := s.Resize(ended(), 32*blk); !errors.Is(err, ErrPinned) {
		t.Fatal(err)
	}
	batch.Publish()
	for b := range cachecore.Block(RunBlocks) {
		if v, ok := get(s, 1, b); ok {
			t.Errorf("block %d is version %d", b, v)
		}
	}
	if err := s.Resize(t.Context(), 32*blk); err != nil {
		t.Fatal(err)
	}
	whole(t, s)
}

func TestWhatStaysIsFoundAfterResizes(t *testing.T) {
	s := resizableOf(t, 4096, 8192)
	for b := range cachecore.Block(2000) {
		put(s, 1, b, 1)
	}
	found := func() (n int) {
		for b := range cachecore.Block(8192) {
			if _, ok := get(s, 1, b); ok {
				n++
			}
		}
		return n
	}
	for _, blocks := range []int64{8192, 3001, 2901, 5000, 8192} { // what is free goes first: the lowest slots have been used
		if err := s.Resize(t.Context(), blocks*blk); err != nil {
			t.Fatal(err)
		}
		if n := found(); n < 1990 {
			t.Fatalf("%d of 2000 blocks in %d", n, blocks)
		}
	}
	if err := s.Resize(t.Context(), 1024*blk); err != nil {
		t.Fatal(err)
	}
	if n := found(); n != 1024 {
		t.Errorf("%d blocks in 1024", n)
	}
	if err := s.Resize(t.Context(), 8192*blk); err != nil {
		t.Fatal(err)
	}
	for b := range cachecore.Block(7000) {
		put(s, 1, b, 2)
	}
	if n := found(); n < 6400 { // shards are not filled alike: the seed says how
		t.Errorf("%d of 7000 blocks in 8192", n)
	}
	whole(t, s)
}

func TestSizesThatAStoreCannotHave(t *testing.T) {
	s := resizableOf(t, 4096, 8192)
	least, most := s.Limits()
	if least != 4*leastSlots*blk || most != 8192*blk {
		t.Errorf("from %d to %d", least, most)
	}
	for _, bytes := range []int64{-1, 0, least - 1, most + 1} {
		if err := s.Resize(t.Context(), bytes); !errors.Is(err, ErrSize) {
			t.Errorf("%d: %v", bytes, err)
		}
	}
	if err := errors.Join(s.Resize(t.Context(), least), s.Resize(t.Context(), most)); err != nil {
		t.Error(err)
	}
	for _, bytes := range []int64{0, RunBlocks*blk - 1, 1 << 50} {
		if _, err := NewResizable(bytes, 0); err == nil {
			t.Errorf("a store of %d bytes", bytes)
		}
	}
	if err := storeOf(t, 64).Resize(t.Context(), 65*blk); !errors.Is(err, ErrSize) {
		t.Error(err)
	}
}

func TestAStoreThatIsClosedIsNotResized(t *testing.T) {
	s, err := NewResizable(64*blk, 128*blk)
	if err != nil {
		t.Fatal(err)
	}
	put(s, 1, 1, 1)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Resize(t.Context(), 128*blk); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, ok := get(s, 1, 1); ok || put(s, 1, 2, 1) {
		t.Error("a closed store has blocks")
	}
	s.Drop(1, 0, 1)
	s.DropObject(1)
	s.Hide(1, 0, 100)
}

func TestHitAllocatesNothingAfterAResize(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := resizableOf(t, 4096, 8192)
	for b := range cachecore.Block(512) {
		put(s, 1, b, 1)
	}
	if err := errors.Join(s.Resize(t.Context(), 7001*blk), s.Resize(t.Context(), 3001*blk)); err != nil {
		t.Fatal(err)
	}
	var sink pieceSink
	read := func() {
		if !s.ReadNow(1, 512, 1<<20, &sink) {
			t.Fatal("a miss")
		}
		sink.release()
	}
	read()
	if a := testing.AllocsPerRun(100, read); a != 0 {
		t.Errorf("%v allocations", a)
	}
}
