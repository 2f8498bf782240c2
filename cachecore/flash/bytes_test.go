package flash

import (
	"errors"
	"testing"

	"forebay/cachecore/device/devicetest"
)

// at is a number that FORMAT.md has at a byte.
type at struct {
	from, bytes int
	want        uint64
}

// laidOut holds a structure against FORMAT.md: what it begins with, its incarnation behind that, its numbers, and its checksum, which is that of all before it.
func laidOut(t *testing.T, p []byte, magic string, id ID, sumAt int, numbers ...at) {
	t.Helper()
	if string(p[:8]) != magic || ID(p[8:24]) != id {
		t.Errorf("%s begins with %x", magic, p[:24])
	}
	for _, n := range append(numbers, at{sumAt, 4, uint64(checksum(p[:sumAt]))}) {
		got := uint64(0)
		for i := n.bytes - 1; i >= 0; i-- {
			got = got<<8 | uint64(p[n.from+i])
		}
		if got != n.want {
			t.Errorf("%s: bytes %d-%d are %x, not %x", magic, n.from, n.from+n.bytes-1, got, n.want)
		}
	}
}

// What a store of yesterday has written is read tomorrow: each number lies where FORMAT.md says.
func TestTheFormatIsAsWritten(t *testing.T) {
	id, k := ID{1, 2, 15: 3}, Key{4, 5, 15: 6}
	const low, high = 0x04030201, 0x0807060504030201
	p := make([]byte, 2*blockSize)

	superblock{id, layout{0x11223344, 0x55667788, 0x99aabbcc, 0xddeeff01}}.encode(p)
	laidOut(t, p, "FBflash1", id, 44, at{24, 4, 0x11223344}, at{28, 4, 0x55667788}, at{32, 4, 0x99aabbcc}, at{36, 4, 0xddeeff01}, at{40, 4, 0})

	g := page{id: id, generation: high, index: low, opening: low + 1, number: high + 1,
		standing: standing{slots: low + 2, clean: true, floor: high + 2, void: high + 3}, entries: []entry{{}, {extent{k, none}, high + 4}}}
	g.encode(p)
	laidOut(t, p, "FBledge1", id, 4092, at{24, 8, high}, at{32, 4, low}, at{36, 4, low + 1}, at{40, 8, high + 1}, at{48, 8, high + 2}, at{56, 8, high + 3},
		at{64, 4, low + 2}, at{68, 4, 2}, at{72, 1, 1}, at{73, 3, 0}, at{76 + 28 + 16, 4, 0xffffffff}, at{76 + 28 + 20, 8, high + 4})
	if Key(p[76+28:]) != k || string(p[blockSize:]) != string(p[:blockSize]) {
		t.Error("the page has another key, or no copy")
	}

	f := footer{id: id, slot: low, seq: high, objects: []footerObject{{Key{}, 0}, {k, high + 1}},
		pieces: []footerPiece{{object: 1, line: low + 1, at: 0x0201, written: 0x81, valid: 0x80, sums: [lineBlocks]uint32{low + 2, low + 3}}}}
	const bytes = 64 + 2*24 + 12 + 2*4
	if n := f.encode(p); n != bytes {
		t.Errorf("a footer of %d bytes", n)
	}
	laidOut(t, p, "FBfoote1", id, 60, at{24, 4, low}, at{28, 8, high}, at{36, 4, 2}, at{40, 4, 1}, at{44, 4, bytes}, at{48, 4, uint64(checksum(p[64:bytes]))}, at{52, 8, 0},
		at{88 + 16, 8, high + 1}, at{112, 4, 1}, at{116, 4, low + 1}, at{120, 2, 0x0201}, at{122, 1, 0x81}, at{123, 1, 0x80}, at{124, 4, low + 2}, at{128, 4, low + 3})
	if Key(p[88:]) != k {
		t.Error("the footer has another key")
	}

	v := validity{id: id, slot: low, seq: high, number: high + 1, bits: []byte{0x12, 0x34}}
	v.encode(p)
	laidOut(t, p, "FBvalid1", id, 4092, at{24, 4, low}, at{28, 8, high}, at{36, 8, high + 1}, at{44, 2, 0x3412}, at{46, 8, 0})
}

// The parts of a device have the sizes that FORMAT.md says.
func TestTheLayoutIsAsWritten(t *testing.T) {
	for _, c := range []struct {
		size, region int64
		want         layout
	}{
		{4 << 20, 64 << 10, layout{16, 34, 16, 2}},
		{1 << 40, 0, layout{4096, 8194, 4096, 32}},
		{100 << 30, 64 << 20, layout{400, 802, 16384, 128}},
	} {
		l, slots, err := newLayout(c.size, c.region)
		if err != nil || l != c.want || l.end(slots) > c.size || l.end(slots+1) <= c.size {
			t.Errorf("%d bytes in regions of %d: %+v, %d regions: %v", c.size, c.region, l, slots, err)
		}
		if l.footerAt()+l.footerBlocks != l.regionBlocks || l.validityAt() != l.dataBlocks() || l.block(1, 0) != l.first+l.regionBlocks {
			t.Errorf("the parts of a region of %+v", l)
		}
	}
}

// A tier of another format is not opened, and is not taken for an empty device.
func TestAnotherFormatIsLeftAlone(t *testing.T) {
	r := rigFor(t, 8, Options{})
	image := r.twin.Image()
	for block := range superblocks {
		p := image[block*blockSize:]
		p[7] = '2'
		le.PutUint32(p[superBytes-4:], checksum(p[:superBytes-4]))
	}
	twin := devicetest.FromImage(image)
	if _, err := Open(twin, Options{Condemn: r.condemn}); !errors.Is(err, ErrNotFormatted) {
		t.Errorf("opened: %v", err)
	}
	if vacant, err := Vacant(twin); vacant || err != nil {
		t.Errorf("vacant: %v, %v", vacant, err)
	}
}

// A footer with the right checksum that no store writes is none.
func TestAFooterOfWhatCannotBeIsNone(t *testing.T) {
	l, _, _ := newLayout(small(6), minRegion*blockSize)
	good := footerPiece{object: 1, line: 3, at: uint16(l.dataBlocks()) - 2, written: 0x81, valid: 0x80}
	for name, change := range map[string]func(e *footerPiece){
		"":                           func(*footerPiece) {},
		"of an object it lacks":      func(e *footerPiece) { e.object = 2 },
		"beyond the region's data":   func(e *footerPiece) { e.at++ },
		"valid and not written":      func(e *footerPiece) { e.valid = 0x40 },
		"of no blocks":               func(e *footerPiece) { e.written, e.valid = 0, 0 },
		"far beyond the region's":    func(e *footerPiece) { e.at = 0xffff },
		"of an object far beyond it": func(e *footerPiece) { e.object = none },
	} {
		e, p := good, make([]byte, 2*blockSize)
		change(&e)
		f := footer{id: ID{1}, slot: 1, seq: 2, objects: make([]footerObject, 2), pieces: []footerPiece{good, e}}
		f.encode(p)
		h, ok := decodeFooterHead(p)
		if _, whole := decodeFooter(h, p, l); !ok || whole != (name == "") {
			t.Errorf("a piece %q: %v", name, whole)
		}
		h.pieces-- // and one with more in it than it says
		if _, whole := decodeFooter(h, p, l); whole {
			t.Errorf("a piece %q: what is behind the last one is overlooked", name)
		}
	}
}
