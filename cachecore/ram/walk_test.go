package ram

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
)

// hotRuns goes once around.
func hotRuns(s *Store, obj cachecore.ObjectID) (list []cachecore.Block) {
	var w Walk
	for around := false; !around; {
		list, around = s.Next(&w, obj, list)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// hotBlocks are those of a run, by their places.
func hotBlocks(s *Store, obj cachecore.ObjectID, run cachecore.Block) (list []int) {
	h := s.Hot(obj, run, RunBlocks)
	defer h.Release()
	for i := range RunBlocks {
		if p := h.Bytes(i); p != nil {
			if _, ok := versionOf(p, run+cachecore.Block(i)); !ok {
				return nil
			}
			list = append(list, i)
		}
	}
	return list
}

// A walk finds what was read again since its content came, of one object, and nothing else; and it is no use of what it finds.
func TestAWalkFindsWhatWasReadAgain(t *testing.T) {
	s := storeOf(t, 64) // whose window is nothing
	for b := range cachecore.Block(48) {
		put(s, 1+cachecore.ObjectID(b/32), b, 1)
	}
	if list := hotRuns(s, 1); len(list) != 0 {
		t.Fatalf("hot before anything was read: %v", list)
	}
	for _, b := range []cachecore.Block{3, 9, 17, 18} {
		get(s, 1, b)
	}
	get(s, 2, 40)
	put(s, 1, 17, 2) // new content
	s.Hide(1, 18, 1)
	if list := hotRuns(s, 1); !slices.Equal(list, []cachecore.Block{0}) {
		t.Errorf("hot runs %v", list)
	}
	if list := hotRuns(s, 2); !slices.Equal(list, []cachecore.Block{32}) {
		t.Errorf("hot runs %v of the other", list)
	}
	if list := hotBlocks(s, 1, 0); !slices.Equal(list, []int{3, 9}) {
		t.Errorf("hot blocks %v", list)
	}
	if list := hotBlocks(s, 1, 16); len(list) != 0 {
		t.Errorf("hot blocks %v of what was written or is hidden", list)
	}
	if st := s.Stats(); st.Hits != 5 || st.PinnedBytes != 0 {
		t.Errorf("after a walk %+v", st)
	}
}

// What is read over and over while nothing is admitted is hot too, after a while; what is read in pieces at one time isn't.
func TestTimePassesForAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeOf(t, 4096)
		hotRuns(s, 1) // from here on time is kept
		put(s, 1, 16, 1)
		for range 3 {
			get(s, 1, 16)
			if hotRuns(s, 1); len(hotBlocks(s, 1, 16)) != 0 {
				t.Error("hot, though it was read at one time only")
			}
		}
		time.Sleep(passes)
		hotRuns(s, 1)
		get(s, 1, 16)
		if list := hotRuns(s, 1); !slices.Equal(list, []cachecore.Block{16}) {
			t.Errorf("hot runs %v", list)
		}
	})
}

// What is pinned as hot keeps its bytes, whatever becomes of the block.
func TestHotIsPinned(t *testing.T) {
	s := storeOf(t, 64)
	put(s, 1, 0, 1)
	get(s, 1, 0)
	h := s.Hot(1, 0, RunBlocks)
	put(s, 1, 0, 2)
	s.DropObject(1)
	for b := range cachecore.Block(200) {
		put(s, 2, b, 3)
	}
	if v, ok := versionOf(h.Bytes(0), 0); !ok || v != 1 {
		t.Errorf("it has changed to version %d", v)
	}
	h.Release()
	if p := s.Stats().PinnedBytes; p != 0 {
		t.Errorf("%d bytes are pinned", p)
	}
	if h := s.Hot(1, 8, RunBlocks); h.Bytes(0) != nil {
		t.Error("blocks of two runs")
	}
}

// Walks beside resizes, drops and writes: what they pin is whole, and no slot is lost.
func TestWalksBesideResizes(t *testing.T) {
	s := resizableOf(t, 4096, 8192)
	least, most := s.Limits()
	rounds := 40
	if raceEnabled {
		rounds = 8
	}
	var ended atomic.Bool
	var users, walker sync.WaitGroup
	walker.Go(func() {
		for !ended.Load() {
			for _, run := range hotRuns(s, 1) {
				h := s.Hot(1, run, RunBlocks)
				for i := range RunBlocks {
					if p := h.Bytes(i); p != nil && !wholeBlock(p, run+cachecore.Block(i)) {
						t.Errorf("block %d is mixed", run+cachecore.Block(i))
					}
				}
				h.Release()
			}
		}
	})
	users.Go(func() {
		for v := range uint32(rounds) {
			for b := range cachecore.Block(3000) {
				put(s, 1, b, v)
				get(s, 1, b/2)
			}
			s.Drop(1, cachecore.Block(v*50), 500)
		}
	})
	users.Go(func() {
		for i := range int64(rounds) {
			if err := s.Resize(t.Context(), least+(most-least)*(i%7)/7); err != nil {
				t.Error(err)
			}
		}
	})
	users.Wait()
	ended.Store(true)
	walker.Wait()
	whole(t, s)
	if p := s.Stats().PinnedBytes; p != 0 {
		t.Errorf("%d bytes are pinned", p)
	}
}

func wholeBlock(p []byte, b cachecore.Block) bool {
	_, ok := versionOf(p, b)
	return ok
}

func BenchmarkWalk(b *testing.B) {
	s := storeOf(b, 1<<16)
	for i := range cachecore.Block(1 << 16) {
		put(s, 1, i, 1)
	}
	for name, obj := range map[string]cachecore.ObjectID{"its own": 1, "others'": 2} {
		b.Run(name, func(b *testing.B) {
			for i := range cachecore.Block(1 << 16) {
				get(s, 1, i)
			}
			for b.Loop() {
				hotRuns(s, obj)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(1<<16), "ns/slot")
		})
	}
}
