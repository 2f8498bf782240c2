package flash

import (
	"encoding/binary"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// rigWith is a rig of so many regions of that size.
func rigWith(t *testing.T, regions uint32, regionBytes int64) *rig {
	l, _, err := newLayout(1<<30, regionBytes)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{tb: t, twin: devicetest.New(l.end(regions)), objects: make(map[Key]*Object), array: make(map[Key]map[cachecore.Block]uint64)}
	if r.id, err = Format(r.twin, FormatOptions{RegionBytes: regionBytes}); err != nil {
		t.Fatal(err)
	}
	r.open()
	t.Cleanup(func() { _ = r.s.Close(bg) })
	return r
}

// bring caches a line at once.
func (r *rig) bring(k Key, first cachecore.Block, n int) (taken int) {
	b := r.object(k).PrepareHot(first, n)
	for i := range n {
		if p := b.Bytes(i); p != nil {
			r.fill(p, k, first+cachecore.Block(i))
			taken++
		}
	}
	b.Publish()
	return taken
}

// A large region is written in parts, each to its place, so that reads find their way in between.
func TestALargeRegionIsWrittenInParts(t *testing.T) {
	r := rigWith(t, minSlots, 5*writePiece/2)
	data, writes := int(r.s.layout.dataBlocks()), 0
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Write {
			writes++
			if c.Len > writePiece {
				t.Errorf("%d bytes in one write", c.Len)
			}
		}
		return devicetest.Fault{}
	})
	k := keyOf(1)
	for first := 0; first < data; first += lineBlocks {
		r.bring(k, cachecore.Block(first), min(lineBlocks, data-first))
	}
	r.spill()
	for _, restart := range []func(){func() {}, r.cut, func() { r.close(); r.open() }} {
		restart()
		n := 0
		for first := 0; first < data; first += MaxRead {
			n += r.check(k, cachecore.Block(first), min(MaxRead, data-first))
		}
		if st := r.s.Stats(); n != data || st.Mismatches != 0 {
			t.Errorf("%d of %d blocks are found, %d are wrong", n, data, st.Mismatches)
		}
	}
	if writes != 3 {
		t.Errorf("a region of 2.5 MiB is written in %d parts", writes)
	}
}

// A region with a block of each of many objects is full when its footer is.
func TestARegionIsFullWhenItsFooterIs(t *testing.T) {
	r := rigWith(t, 2*minSlots, 1<<20)
	key := func(n int) Key {
		k := Key{15: 1}
		binary.LittleEndian.PutUint32(k[:], uint32(n))
		return k
	}
	data := int(r.s.layout.dataBlocks())
	for n := range data {
		r.quiet()
		if r.bring(key(n), 0, 1) != 1 {
			t.Fatalf("no room for object %d", n)
		}
	}
	if free := r.s.Stats().Free; free != 2*minSlots-2 {
		t.Errorf("%d regions are free", free)
	}
	r.spill()
	r.cut()
	for n := range data {
		if r.check(key(n), 0, 1) != 1 {
			t.Fatalf("object %d is gone", n)
		}
	}
}
