package scsi_test

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// modeSense6 has the page control in the top two bits of page.
func modeSense6(flags, page, subpage, allocation byte) []byte {
	return []byte{0x1a, flags, page, subpage, allocation, 0}
}

func modeSense10(flags, page, subpage byte, allocation uint16) []byte {
	return []byte{0x5a, flags, page, subpage, 0, 0, 0, byte(allocation >> 8), byte(allocation), 0}
}

const (
	dbd, llbaa                            = 0x08, 0x10
	current, changeable, byDefault, saved = 0x00, 0x40, 0x80, 0xc0

	caching       = "08 12 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
	control       = "0a 0a 00 10 00 00 00 00 ff ff 00 00"
	controlSWP    = "0a 0a 00 10 08 00 00 00 ff ff 00 00"
	informational = "1c 0a 00 00 00 00 00 00 00 00 00 00"
)

func TestModeSenseLengthsAgree(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		for _, page := range []byte{0x08, 0x0a, 0x1c, 0x3f} {
			for _, flags := range []byte{0, dbd, llbaa} {
				p := r.in(modeSense10(flags, page, 0, 1024))
				if int(binary.BigEndian.Uint16(p))+2 != len(p) {
					t.Errorf("MODE SENSE(10) of %02x with %02x: %d bytes say %d", page, flags, len(p), binary.BigEndian.Uint16(p))
				}
				p = r.in(modeSense6(flags&dbd, page, 0, 255))
				if int(p[0])+1 != len(p) {
					t.Errorf("MODE SENSE(6) of %02x: %d bytes say %d", page, len(p), p[0])
				}
			}
		}
	})
}

func TestModeSenseHasHeaderDescriptorAndPages(t *testing.T) {
	r := newRig(t, disk(512)) // 16384 blocks
	all := caching + control + informational
	for _, tc := range []struct {
		name string
		cdb  []byte
		want string
	}{
		{"6", modeSense6(0, 0x0a, 0, 255), "17 00 10 08  00004000 00000200 " + control},
		{"6 without descriptor", modeSense6(dbd, 0x0a, 0, 255), "0f 00 10 00 " + control},
		{"6, all", modeSense6(dbd, 0x3f, 0, 255), "2f 00 10 00 " + all},
		{"6, all with subpages", modeSense6(dbd, 0x3f, 0xff, 255), "2f 00 10 00 " + all},
		{"6, a page with all its subpages", modeSense6(dbd, 0x08, 0xff, 255), "17 00 10 00 " + caching},
		{"10", modeSense10(0, 0x1c, 0, 255), "001a 00 10 00 00 0008  00004000 00000200 " + informational},
		{"10 without descriptor", modeSense10(dbd|llbaa, 0x1c, 0, 255), "0012 00 10 00 00 0000 " + informational},
		{"10 with long LBAs", modeSense10(llbaa, 0x08, 0, 255), "002a 00 10 01 00 0010  0000000000004000 00000000 00000200 " + caching},
	} {
		if have := r.in(tc.cdb); !bytes.Equal(have, raw(tc.want)) {
			t.Errorf("%s:\n% x, want\n% x", tc.name, have, raw(tc.want))
		}
	}
}

func TestModeSenseIsCutAtTheAllocationLength(t *testing.T) {
	r := newRig(t, disk(512))
	whole := r.in(modeSense6(0, 0x3f, 0, 255))
	for _, n := range []byte{0, 1, 4, 12, 20} {
		if have := r.in(modeSense6(0, 0x3f, 0, n)); !bytes.Equal(have, whole[:n]) {
			t.Errorf("%d bytes, want %d", len(have), n)
		}
	}
	for _, n := range []uint16{0, 3, 8} {
		if have := r.in(modeSense10(0, 0x3f, 0, n)); len(have) != int(n) {
			t.Errorf("%d bytes, want %d", len(have), n)
		}
	}
}

func TestModeSenseRefusesPagesThatItLacks(t *testing.T) {
	r := newRig(t, disk(512))
	for _, tc := range []struct {
		page, subpage byte
		how, field    string
	}{
		{0x01, 0, "5/24/00", "cdb 2"},
		{0x00, 0, "5/24/00", "cdb 2"},
		{0x0a, 1, "5/24/00", "cdb 3"},
		{0x3f, 1, "5/24/00", "cdb 3"},
		{0x01, 0xff, "5/24/00", "cdb 2"},
		{saved | 0x3f, 0, "5/39/00", "none"},
	} {
		for _, cdb := range [][]byte{modeSense6(0, tc.page, tc.subpage, 255), modeSense10(0, tc.page, tc.subpage, 255)} {
			if c := r.want(tc.how, cdb); field(c) != tc.field {
				t.Errorf("%x: field %s, want %s", cdb, field(c), tc.field)
			}
		}
	}
}

func TestModePagesTellWhatTheUnitIs(t *testing.T) {
	g := disk(512)
	g.WriteCache, g.ReadOnly = true, true
	r := newRig(t, g)
	p := r.in(modeSense6(dbd, 0x08, 0, 255))
	if p[2] != 0x90 || p[4+2] != 0x04 { // WP, DPOFUA; WCE
		t.Errorf("% x", p)
	}
	if p := r.in(modeSense6(dbd, changeable|0x08, 0, 255)); !bytes.Equal(p[4:], raw("08 12"+"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00")) {
		t.Errorf("changeable: % x", p)
	}
	if p := r.in(modeSense6(dbd, changeable|0x0a, 0, 255)); !bytes.Equal(p[4:], raw("0a 0a 00 00 08 00 00 00 00 00 00 00")) {
		t.Errorf("changeable: % x", p)
	}
}

func TestHugeCapacityIsAllOnesInAShortDescriptor(t *testing.T) {
	g := disk(4096)
	g.Blocks = 1 << 33
	r := newRigOver(t, g, nil, nil)
	if p := r.in(modeSense6(0, 0x1c, 0, 255)); !bytes.Equal(p[4:12], raw("ffffffff 00001000")) {
		t.Errorf("% x", p[4:12])
	}
	if p := r.in(modeSense10(llbaa, 0x1c, 0, 255)); !bytes.Equal(p[8:24], raw("0000000200000000 00000000 00001000")) {
		t.Errorf("% x", p[8:24])
	}
}
