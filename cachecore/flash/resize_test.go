package flash

import (
	"slices"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// spread caches lines of extents of their own, and calls f for each.
func spread(lines int, f func(first cachecore.Block)) {
	for line := range lines {
		f(blockOf(line * extentLines))
	}
}

// While a tier shrinks, what is in a region that is to go is found, and marked when it is written to, until its footer is erased.
func TestG3_ARegionThatIsVacatedIsInvalidatedLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 12, Options{})
		k := keyOf(1)
		spread(9, func(first cachecore.Block) { r.cache(k, first, lineBlocks) })
		r.spill()
		release := r.hold(devicetest.WriteDurable)
		resized := make(chan error, 1)
		go func() { resized <- r.s.Resize(bg, small(minSlots)) }()
		synctest.Wait()
		spread(9, func(first cachecore.Block) {
			if found := r.object(k).Contains(first, 1); !found.Has(0) || r.object(k).InvalidateNow(first, 1) {
				t.Errorf("block %d goes: a power cut would undo what is written there", first)
			}
			synctest.Wait()
		})
		release()
		if err := <-resized; err != nil {
			t.Error(err)
		}
		r.close()
	})
}

// Wherever the power is cut while a tier shrinks or grows: nothing of what was beyond comes back when it is large again.
func TestG3_APowerCutInAResizeRevivesNothing(t *testing.T) {
	const lines = 9
	r := newRig(t, 12, Options{})
	r.cannotDiscard()
	k := keyOf(1)
	spread(lines, func(first cachecore.Block) { r.cache(k, first, lineBlocks) })
	r.spill()
	begun, twin := r.twin.Events(), r.twin
	for _, regions := range []int{minSlots, 12} {
		if err := r.s.Resize(bg, small(regions)); err != nil {
			t.Fatal(err)
		}
	}
	r.quiet()
	_ = r.s.memory.Close()
	for event := begun; event <= twin.Events(); event++ {
		twin.Crash(event).Each(1, nil, func(image []byte) bool { r.twin = devicetest.FromImage(image); return false })
		r.cannotDiscard()
		r.open()
		for _, regions := range []int{12, minSlots, 12} {
			spread(lines, func(first cachecore.Block) { r.write(k, first, lineBlocks) })
			if err := r.s.Resize(bg, small(regions)); err != nil {
				t.Fatal(err)
			}
		}
		r.cut()
		spread(lines, func(first cachecore.Block) {
			if n := r.check(k, first, lineBlocks); n != 0 {
				t.Fatalf("event %d of %d: %d blocks are back", event-begun, twin.Events()-begun, n)
			}
		})
		r.close()
	}
}

// A region beyond is not used before it is durable that it counts.
func TestATierHasGrownOnceThatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 12, Options{})
		if err := r.s.Resize(bg, small(minSlots)); err != nil {
			t.Fatal(err)
		}
		release := r.hold(devicetest.WriteDurable)
		resized := make(chan error, 1)
		go func() { resized <- r.s.Resize(bg, small(12)) }()
		synctest.Wait()
		if st := r.s.Stats(); st.Regions != minSlots || st.Free != minSlots || len(resized) != 0 {
			t.Errorf("it has %d regions, %d of them free", st.Regions, st.Free)
		}
		release()
		if err := <-resized; err != nil {
			t.Error(err)
		}
		if st := r.s.Stats(); st.Regions != 12 || st.Free != 12 {
			t.Errorf("then it has %d regions, %d of them free", st.Regions, st.Free)
		}
		r.close()
	})
}

// once fails if a slot has two uses, or none.
func (r *rig) once() {
	r.Helper()
	f := &r.s.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	used := append(slices.Clone(f.free), f.stored...)
	for _, b := range f.sealed {
		used = append(used, b.slot)
	}
	if f.current != nil {
		used = append(used, f.current.slot)
	}
	slices.Sort(used)
	for slot := range f.limit {
		if int(slot) >= len(used) || used[slot] != slot {
			r.Fatalf("slots %v are in use or free, of %d", used, f.limit)
		}
	}
}

// A tier has as many regions as its device has room for, and nothing is found of those that it has no more.
func TestATierIsNoLargerThanItsDevice(t *testing.T) {
	r := rigFor(t, 12, Options{})
	k := keyOf(1)
	for _, c := range []struct{ ask, get int }{{1000, 12}, {5, 5}, {1000, 12}} {
		if err := r.s.Resize(bg, small(c.ask)); err != nil {
			t.Fatal(err)
		}
		found := 0
		spread(14, func(first cachecore.Block) { found += r.check(k, first, lineBlocks) })
		st := r.s.Stats()
		if st.Regions != c.get || found > c.get*int(r.s.layout.dataBlocks()) || st.UsedBytes != int64(found)*blockSize {
			t.Errorf("asked for %d: %d regions, %d blocks found, %d bytes used", c.ask, st.Regions, found, st.UsedBytes)
		}
		spread(14, func(first cachecore.Block) { r.cache(k, first, lineBlocks) })
		r.quiet()
		r.once()
	}
	if st := r.s.Stats(); st.Failed || st.Mismatches != 0 {
		t.Errorf("%+v: %v", st, r.s.Err())
	}
}
