package flash

import (
	"testing"

	"forebay/cachecore"
)

// counted holds what is known of objects against the pieces that the index has.
func (r *rig) counted() {
	r.Helper()
	have := make(map[uint32]int32)
	for i := range r.s.shards {
		sh := &r.s.shards[i]
		sh.mu.Lock()
		for at := sh.tail; at.chunk != none && sh.settle(&at); {
			p := sh.piece(at.chunk + at.at)
			have[p.object()]++
			at.at += uint32(len(p))
		}
		sh.mu.Unlock()
	}
	t := &r.s.objects
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, ob := range t.byID {
		if ob.pieces != have[id] {
			r.Fatalf("object %d has %d pieces, and %d are counted", id, have[id], ob.pieces)
		}
	}
}

// Lines of one block each take more of the index than there is for the device: the oldest regions go before their time, and what comes finds room.
func TestAFullIndexMakesRoomForWhatComes(t *testing.T) {
	r := rigWith(t, 2*minSlots, 1<<20)
	k, refused := keyOf(1), 0
	for line := range 1500 {
		if r.bring(k, blockOf(line), 1) == 1 {
			refused = 0
		} else if refused++; refused > 2 {
			t.Fatalf("nothing comes in since line %d", line-refused)
		}
		r.quiet()
		if n := r.check(k, blockOf(line), 1); n == 0 && refused == 0 {
			t.Fatalf("line %d is not found", line)
		}
	}
	st := r.s.Stats()
	if st.RefusedIndex == 0 || st.Free < 1 {
		t.Errorf("%d blocks were refused, %d regions are free: the index was not full", st.RefusedIndex, st.Free)
	}
	r.counted()
	r.close()
}

// What comes for an object that another handle has dropped is refused, and counted nowhere.
func TestPiecesAreCountedWhateverHappensToTheirObject(t *testing.T) {
	r := rigFor(t, 8, Options{})
	a, b := keyOf(1), keyOf(2)
	for line := range 20 {
		r.cache(a, blockOf(line), 5)
		r.cache(b, blockOf(line), 8)
		batch := r.object(a).PrepareHot(blockOf(line)+5, 3)
		switch line % 4 {
		case 1:
			r.write(a, blockOf(line-1), 3)
		case 2:
			if err := r.object(a).Drop(bg); err != nil {
				t.Fatal(err)
			}
			r.set(a, 0, 20*lineBlocks)
		}
		for i := range 3 {
			if p := batch.Bytes(i); p != nil {
				r.fill(p, a, blockOf(line)+5+cachecore.Block(i))
			}
		}
		batch.Publish()
		r.quiet()
		r.counted()
	}
	r.check(a, 0, 20*lineBlocks)
	r.check(b, 0, 20*lineBlocks)
	r.close()
	r.open()
	r.counted()
}
