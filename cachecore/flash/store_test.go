package flash

import (
	"testing"

	"forebay/cachecore"
)

func TestWhatIsOfferedTwiceIsServed(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	if n := r.offer(k, 3, 4); n != 0 {
		t.Fatalf("%d blocks taken at first sight", n)
	}
	if n := r.offer(k, 3, 4); n != 4 {
		t.Fatalf("%d of 4 blocks taken", n)
	}
	if n := r.check(k, 0, 16); n != 4 {
		t.Fatalf("%d of 4 blocks found", n)
	}
	if n := r.offer(k, 3, 4); n != 0 {
		t.Fatalf("%d blocks taken that are here", n)
	}
}

func TestWhatIsWrittenToTheDeviceIsServedFromThere(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 40) // three regions and a bit
	r.quiet()
	if n := r.check(k, 0, 40); n != 40 {
		t.Fatalf("%d of 40 blocks found", n)
	}
}

func TestACleanRestartKeepsEverything(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 40)
	r.write(k, 7, 3)
	r.quiet()
	r.write(k, 20, 1)
	r.cache(k, 20, 1)
	for range 3 {
		r.close()
		r.open()
		if n := r.check(k, 0, 40); n != 37 {
			t.Fatalf("%d of 37 blocks found", n)
		}
	}
}

func TestTheOldestRegionsGoAndHotLinesStay(t *testing.T) {
	r := rigFor(t, 8, Options{})
	hot, cold := keyOf(1), keyOf(2)
	r.cache(hot, 0, 8)
	for i := range 40 {
		r.cache(cold, blockOf(i), 8)
		r.quiet()
		if n := r.check(hot, 0, 8); n != 8 {
			t.Fatalf("after %d lines: %d of 8 hot blocks found", i, n)
		}
	}
	if n := r.check(cold, 0, 64); n != 0 {
		t.Fatalf("%d of the oldest blocks are still here", n)
	}
	if st := r.s.Stats(); st.Reinserted == 0 {
		t.Fatal("nothing was written again")
	}
}

// A region isn't written before all who have room in it have filled it.
func TestARegionWaitsForItsBatches(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.offer(k, 0, 8)
	late := r.object(k).Prepare(0, 8)
	r.cache(k, 8, 8)
	r.spill()
	if n := r.check(k, 0, 16); n != 8 {
		t.Fatalf("%d blocks found, and 8 were published", n)
	}
	for i := range 8 {
		r.fill(late.Bytes(i), k, cachecore.Block(i))
	}
	late.Publish()
	r.spill()
	r.close()
	r.open()
	if n := r.check(k, 0, 16); n != 16 {
		t.Fatalf("%d of 16 blocks found", n)
	}
}

// One read of several lines that lie one behind the other is a use of each.
func TestALongReadIsAUseOfAllItsLines(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 4, 8) // the end of one line and the beginning of the next
	if r.spill(); r.check(k, 4, 8) != 8 {
		t.Fatal("not found")
	}
	n := 0
	for i := range r.s.shards {
		n += len(r.s.shards[i].hotIn(nil, r.s.layout, 0))
	}
	if n != 2 {
		t.Fatalf("%d of 2 pieces are hot", n)
	}
}
