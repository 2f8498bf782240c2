package ram

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"forebay/cachecore"
)

// pieceSink collects a read.
type pieceSink struct {
	parts  [][]byte
	owners []cachecore.Releaser
	tokens []uint64
}

func (s *pieceSink) Add(p []byte, owner cachecore.Releaser, token uint64) {
	s.parts, s.owners, s.tokens = append(s.parts, p), append(s.owners, owner), append(s.tokens, token)
}

func (s *pieceSink) release() {
	for i, o := range s.owners {
		o.Release(s.tokens[i])
	}
	s.parts, s.owners, s.tokens = s.parts[:0], s.owners[:0], s.tokens[:0]
}

func (s *pieceSink) bytes() []byte {
	var all []byte
	for _, p := range s.parts {
		all = append(all, p...)
	}
	return all
}

func storeOf(t testing.TB, blocks int) *Store {
	t.Helper()
	s, err := NewStore(make([]byte, blocks*cachecore.BlockSize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill is the content of a block: its number and version, over and over.
func fill(p []byte, block cachecore.Block, version uint32) {
	for i := 0; i < len(p); i += 16 {
		binary.LittleEndian.PutUint64(p[i:], uint64(block))
		binary.LittleEndian.PutUint64(p[i+8:], uint64(version))
	}
}

func put(s *Store, obj cachecore.ObjectID, block cachecore.Block, version uint32) bool {
	b := s.Prepare(obj, block, 1)
	has := b.Bytes(0) != nil
	if has {
		fill(b.Bytes(0), block, version)
	}
	b.Publish()
	return has
}

func get(s *Store, obj cachecore.ObjectID, block cachecore.Block) (version uint32, ok bool) {
	var sink pieceSink
	defer sink.release()
	if !s.ReadNow(obj, int64(block)*cachecore.BlockSize, cachecore.BlockSize, &sink) {
		return 0, false
	}
	return versionOf(sink.parts[0], block)
}

// versionOf is ok if every part of a block says the same.
func versionOf(p []byte, block cachecore.Block) (uint32, bool) {
	version := binary.LittleEndian.Uint64(p[8:])
	for i := 0; i < len(p); i += 16 {
		if binary.LittleEndian.Uint64(p[i:]) != uint64(block) || binary.LittleEndian.Uint64(p[i+8:]) != version {
			return 0, false
		}
	}
	return uint32(version), true
}

func TestReadNowIsAllOrNothing(t *testing.T) {
	s := storeOf(t, 4096)
	const first = RunBlocks - 2 // across runs
	for i := range 20 {
		if i != 19 {
			put(s, 7, cachecore.Block(first+i), uint32(i))
		}
	}
	var sink pieceSink
	if s.ReadNow(7, first*4096, 20*4096, &sink) || len(sink.parts) != 0 {
		t.Fatal("a read with a hole was answered")
	}
	if p := s.Stats().PinnedBytes; p != 0 {
		t.Fatalf("%d bytes are still pinned", p)
	}
	put(s, 7, first+19, 19)
	if !s.ReadNow(7, first*4096+512, 19*4096, &sink) {
		t.Fatal("a whole read was not answered")
	}
	if all := sink.bytes(); len(all) != 19*4096 || binary.LittleEndian.Uint64(all) != first || binary.LittleEndian.Uint64(all[len(all)-16:]) != first+19 {
		t.Fatal("other bytes")
	}
	sink.release()
	if p := s.Stats().PinnedBytes; p != 0 {
		t.Fatalf("%d bytes are still pinned", p)
	}
}

func TestAdjacentSlotsMakeOnePiece(t *testing.T) {
	s := storeOf(t, 4096)
	b := s.Prepare(1, 0, RunBlocks)
	b.Publish()
	var sink pieceSink
	if !s.ReadNow(1, 0, RunBlocks*4096, &sink) || len(sink.parts) != 1 {
		t.Fatalf("%d pieces", len(sink.parts))
	}
	sink.release()
}

func TestPinnedBytesNeverChange(t *testing.T) {
	s := storeOf(t, 64)
	put(s, 1, 5, 1)
	var sink pieceSink
	s.ReadNow(1, 5*4096, 4096, &sink)
	put(s, 1, 5, 2)
	for b := range cachecore.Block(1000) {
		put(s, 2, b, 9)
	}
	if v, ok := versionOf(sink.parts[0], 5); !ok || v != 1 {
		t.Fatalf("the pinned bytes are version %d now", v)
	}
	s.Drop(1, 5, 1)
	for b := range cachecore.Block(1000) {
		put(s, 2, b, 9)
	}
	if v, ok := versionOf(sink.parts[0], 5); !ok || v != 1 {
		t.Fatalf("the pinned bytes are version %d now", v)
	}
	sink.release()
}

func TestInsertFailsGracefullyWhenAllIsPinned(t *testing.T) {
	s := storeOf(t, 16)
	var sink pieceSink
	for b := range cachecore.Block(16) {
		put(s, 1, b, 1)
		s.ReadNow(1, int64(b)*4096, 4096, &sink)
	}
	if put(s, 1, 100, 1) {
		t.Fatal("there was a slot")
	}
	if put(s, 1, 3, 2) {
		t.Fatal("there was a slot")
	}
	if _, ok := get(s, 1, 3); ok {
		t.Fatal("the old content is still found after it was to be replaced")
	}
	sink.release()
	if st := s.Stats(); st.PinnedBytes != 0 || st.UsedBytes != 15*4096 || st.Refused != 2 {
		t.Fatalf("%+v", st)
	}
	if !put(s, 1, 100, 1) {
		t.Fatal("no slot, though nothing is pinned")
	}
}

func TestHiddenBlocksAreFoundAgainWhenPublished(t *testing.T) {
	s := storeOf(t, 64)
	put(s, 1, 5, 1)
	put(s, 1, 6, 1)
	s.Hide(1, 5, 1)
	if _, ok := get(s, 1, 5); ok {
		t.Fatal("a hidden block was read")
	}
	if list := s.Absent(nil, 1, 4, 4, 256); len(list) != 2 || list[0] != (Extent{4, 2}) || list[1] != (Extent{7, 1}) {
		t.Fatal(list)
	}
	put(s, 1, 5, 2)
	if v, ok := get(s, 1, 5); !ok || v != 2 {
		t.Fatal(v, ok)
	}
}

func TestAbandonedBatchChangesNothing(t *testing.T) {
	s := storeOf(t, 16)
	put(s, 1, 0, 1)
	for range 100 {
		b := s.Prepare(1, 0, 4)
		clear(b.Bytes(0))
		b.Abandon()
	}
	if v, ok := get(s, 1, 0); !ok || v != 1 {
		t.Fatal(v, ok)
	}
}

func TestWhatHasNoKeyIsNotCached(t *testing.T) {
	s := storeOf(t, 64)
	for _, k := range []struct {
		obj   cachecore.ObjectID
		block cachecore.Block
	}{{1 << objectBits, 0}, {1, 1 << blockBits}} {
		if put(s, k.obj, k.block, 1) {
			t.Errorf("%v is cached", k)
		}
		if _, ok := get(s, k.obj, k.block); ok {
			t.Errorf("%v is found", k)
		}
		s.Drop(k.obj, k.block, 1)
		if list := s.Absent(nil, k.obj, k.block, 1, 1); len(list) != 1 {
			t.Errorf("%v is not absent", k)
		}
	}
	if s.ReadNow(1, -4096, 4096, &pieceSink{}) || s.ReadNow(1, 0, 0, &pieceSink{}) || s.ReadNow(1, 1<<62, MaxRead, &pieceSink{}) {
		t.Error("nonsense was answered")
	}
}

func TestIndexCostsAtMost40BytesABlock(t *testing.T) {
	for _, blocks := range []int{1 << 14, 1 << 16, 1<<18 + 4711} {
		s := storeOf(t, blocks)
		per := float64(s.indexBytes()) / float64(blocks)
		t.Logf("%d blocks: %.2f bytes each", blocks, per)
		if per > 40 {
			t.Errorf("%.2f bytes of index for each of %d blocks", per, blocks)
		}
	}
}

// A store agrees with a map on every block that it has, whatever is done to it, and never loses a slot.
func TestStoreAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, err := NewStore(make([]byte, rapid.IntRange(16, 200).Draw(r, "blocks")*cachecore.BlockSize))
		if err != nil {
			r.Fatal(err)
		}
		model := map[key]uint32{}
		version := uint32(0)
		var pins pieceSink
		draw := func() (cachecore.ObjectID, cachecore.Block, key) {
			obj, block := cachecore.ObjectID(rapid.IntRange(1, 2).Draw(r, "obj")), cachecore.Block(rapid.IntRange(0, 120).Draw(r, "block"))
			k, _ := keyOf(obj, block, 1)
			return obj, block, k
		}
		forget := func(k key, n uint64) {
			for i := range n {
				delete(model, k+key(i))
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"put": func(*rapid.T) {
				obj, block, k := draw()
				version++
				delete(model, k)
				if put(s, obj, block, version) {
					model[k] = version
				}
			},
			"drop": func(r *rapid.T) {
				obj, block, k := draw()
				n := rapid.Uint64Range(1, 1000).Draw(r, "n")
				s.Drop(obj, block, n)
				forget(k, n)
			},
			"drop object": func(*rapid.T) {
				obj, _, _ := draw()
				s.DropObject(obj)
				k, _ := keyOf(obj, 0, 1)
				forget(k, 1000)
			},
			"hide": func(*rapid.T) {
				obj, block, k := draw()
				s.Hide(obj, block, 3)
				forget(k, 3)
			},
			"pin": func(*rapid.T) {
				obj, block, _ := draw()
				s.ReadNow(obj, int64(block)*4096, 4096, &pins)
			},
			"unpin": func(*rapid.T) { pins.release() },
			"": func(r *rapid.T) {
				obj, block, k := draw()
				if v, ok := get(s, obj, block); ok && v != model[k] {
					r.Fatalf("block %d of %d is version %d, should be %d", block, obj, v, model[k])
				}
			},
		})
		pins.release()
		s.DropObject(1)
		s.DropObject(2)
		if st := s.Stats(); st.UsedBytes != 0 || st.PinnedBytes != 0 || s.shards[0].out != 0 {
			r.Fatalf("slots are lost: %+v, %d out", st, s.shards[0].out)
		}
	})
}

func TestConcurrentReadersSeeWholeBlocks(t *testing.T) {
	s := storeOf(t, 256)
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			var sink pieceSink
			for i := range 3000 {
				block := cachecore.Block(r.IntN(400))
				switch r.IntN(10) {
				case 0:
					s.Drop(1, block, 20)
				case 1, 2, 3:
					put(s, 1, block, uint32(w<<16|i))
				default:
					if s.ReadNow(1, int64(block)*4096, 4096, &sink) {
						if _, ok := versionOf(sink.parts[len(sink.parts)-1], block); !ok {
							t.Errorf("block %d is mixed", block)
						}
					}
				}
				if i%16 == 0 {
					sink.release()
				}
			}
			sink.release()
		})
	}
	all.Wait()
	s.DropObject(1)
	if s.shards[0].out != 0 || s.Stats().PinnedBytes != 0 {
		t.Errorf("%d slots are lost, %d bytes pinned", s.shards[0].out, s.Stats().PinnedBytes)
	}
}

func TestCloseWaitsForTheLastPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeOf(t, 64)
		put(s, 1, 1, 1)
		var sink pieceSink
		s.ReadNow(1, 4096, 4096, &sink)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if put(s, 1, 2, 1) {
			t.Error("a closed store took a block")
		}
		if _, ok := get(s, 1, 1); ok {
			t.Error("a closed store answered")
		}
		sink.release()
		for i := range s.shards {
			<-s.shards[i].idle
		}
	})
}

func TestCloseOfWhatNobodyUsesTakesNoTime(t *testing.T) {
	for range 64 {
		s, err := NewResizable(64*blk, 128*blk)
		if err != nil {
			t.Fatal(err)
		}
		put(s, 1, 1, 1)
		if err := s.Close(ended()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := storeOf(t, 4096)
	for b := range cachecore.Block(1024) {
		put(s, 1, b, 1)
	}
	var sink pieceSink
	for _, n := range []int{512, 4096, 64 << 10, 1 << 20} {
		read := func() {
			if !s.ReadNow(1, 512, n, &sink) {
				t.Fatal("a miss")
			}
			sink.release()
		}
		read()
		if a := testing.AllocsPerRun(100, read); a != 0 {
			t.Errorf("%v allocations to read %d bytes", a, n)
		}
	}
}

// blockOf is what fill has taken for the block.
func blockOf(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }
