package flash

import (
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// A half of the ledger may be full when the store ends: the page that says so goes to the other one.
func TestAnEndIsCleanHoweverFullTheLedgerIs(t *testing.T) {
	for lines := range 10 {
		r := newRig(t, 40, Options{})
		k := keyOf(1)
		for line := range lines {
			r.cache(k, blockOf(line*extentLines), 2)
			r.spill()
			r.write(k, blockOf(line*extentLines), 1) // a page
		}
		r.close()
		r.open()
		for line := range lines {
			if n := r.check(k, blockOf(line*extentLines), 2); n != 1 {
				t.Errorf("with %d pages: %d blocks of an extent, and 1 was there before the end", lines, n)
			}
		}
		r.close()
	}
}

// A power cut in the middle of an end costs what it would have before: what is marked, and what was in memory.
func TestAPowerCutInAnEndLeavesWhatIsNotMarked(t *testing.T) {
	h := &history{rig: newRig(t, 12, Options{})}
	k := keyOf(1)
	h.cache(k, 0, 3*lineBlocks)
	h.cache(k, blockOf(extentLines), lineBlocks)
	h.spill()
	h.write(k, blockOf(extentLines), 1)
	begun := h.twin.Events()
	h.close()
	for event := begun; event <= h.twin.Events(); event++ {
		h.twin.Crash(event).Each(20, nil, func(image []byte) bool {
			if n := h.serves(image, h.upto(event)); n < 3*lineBlocks {
				t.Fatalf("event %d of %d: %d blocks are left of %d", event-begun, h.twin.Events()-begun, n, 3*lineBlocks)
			}
			return true
		})
	}
}

// What an end says of a region counts for that one only: the same incarnation, slot, number and end.
func TestValidityIsOfOneRegionAndOneEnd(t *testing.T) {
	l, _, _ := newLayout(small(6), minRegion*blockSize)
	v := validity{id: ID{1}, slot: 2, seq: 3, number: 4, bits: []byte{0xff, 0x1f}}
	p := make([]byte, blockSize)
	v.encode(p)
	h := footerHead{id: v.id, slot: v.slot, seq: v.seq}
	if bits, ok := decodeValidity(p, h, v.number, l); !ok || string(bits) != string(v.bits) {
		t.Fatalf("%x, %v", bits, ok)
	}
	other := func(change func(h *footerHead)) footerHead {
		h := h
		change(&h)
		return h
	}
	for name, h := range map[string]footerHead{
		"incarnation": other(func(h *footerHead) { h.id[15]++ }),
		"slot":        other(func(h *footerHead) { h.slot++ }),
		"number":      other(func(h *footerHead) { h.seq++ }),
	} {
		if _, ok := decodeValidity(p, h, v.number, l); ok {
			t.Errorf("it counts for a region of another %s", name)
		}
	}
	if _, ok := decodeValidity(p, h, v.number+1, l); ok {
		t.Error("it counts for a later end")
	}
	p[blockSize-5] ^= 1
	if _, ok := decodeValidity(p, h, v.number, l); ok {
		t.Error("it counts though it is damaged")
	}
}

// A footer that was misread is erased before anything is served, durably: a power cut doesn't bring it back.
func TestG3_AMisreadFooterIsErasedDurably(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	r.spill()
	at := offset(r.s.layout.block(0, r.s.layout.footerAt())) + 20
	image := r.twin.Image()
	_ = r.s.memory.Close()
	image[at] ^= 8
	r.twin = devicetest.FromImage(image)
	r.open()
	if n := r.check(k, 0, lineBlocks); n != 0 {
		t.Fatalf("%d blocks of a region without a footer", n)
	}
	r.set(k, 0, lineBlocks) // needs no mark
	misread := image[at]
	r.twin.Crash(r.twin.Events()).Each(64, nil, func(image []byte) bool {
		if image[at] == misread {
			image[at] ^= 8 // and is read well now
		}
		s := r.openOn(devicetest.FromImage(image))
		o, err := s.Attach(bg, k, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if n := checkOn(t, o, map[cachecore.Block]uint64{}, 0, lineBlocks); n != 0 {
			t.Errorf("%d blocks are back", n)
		}
		_ = s.memory.Close()
		return true
	})
	_ = r.s.Close(bg)
}
