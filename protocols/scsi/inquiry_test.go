package scsi_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"forebay/protocols/scsi"
)

func inquiry(flags, page byte, allocation uint16) []byte {
	return []byte{0x12, flags, page, byte(allocation >> 8), byte(allocation), 0}
}

func TestStandardInquiry(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		p := r.in(inquiry(0, 0, 255))
		if len(p) != 74 || int(p[4]) != len(p)-5 {
			t.Fatalf("%d bytes with an additional length of %d", len(p), p[4])
		}
		for _, tc := range []struct {
			name string
			at   int
			want byte
		}{
			{"connected disk", 0, 0x00},
			{"not removable", 1, 0x00},
			{"SPC-4", 2, 0x06},
			{"hierarchical LUNs, format 2, no NACA", 3, 0x12},
			{"no TPGS, 3PC, PROTECT", 5, 0x00},
			{"no enclosure, ports", 6, 0x00},
			{"command queuing", 7, 0x02},
		} {
			if p[tc.at] != tc.want {
				t.Errorf("%s: byte %d is %02x, want %02x", tc.name, tc.at, p[tc.at], tc.want)
			}
		}
		if have := string(p[8:36]); have != "FOREBAY VOLUME          1   " {
			t.Errorf("names %q", have)
		}
		if have := p[58:74]; !bytes.Equal(have, raw("00a0 0960 0460 04c0 0000 0000 0000 0000")) { // SAM-5, iSCSI, SPC-4, SBC-3
			t.Errorf("version descriptors % x", have)
		}
	})
}

func TestInquiryIsCutAtTheAllocationLength(t *testing.T) {
	r := newRig(t, disk(512))
	whole := r.in(inquiry(0, 0, 0xffff))
	for _, n := range []int{0, 1, 5, 36, 73} {
		if c := r.want("GOOD", inquiry(0, 0, uint16(n))); !bytes.Equal(bytesOf(c), whole[:n]) || c.Want != n {
			t.Errorf("%d bytes, want %d", c.Data.Len(), n)
		}
		if c := r.want("GOOD", inquiry(1, 0x83, uint16(n))); c.Data.Len() > n || c.Want > n {
			t.Errorf("page 83h: %d bytes, want at most %d", c.Data.Len(), n)
		}
	}
}

func TestInquiryRefusesPagesThatItLacks(t *testing.T) {
	r := newRig(t, disk(512))
	for _, cdb := range [][]byte{inquiry(0, 0x80, 255), inquiry(0, 0x01, 255), inquiry(1, 0x01, 255), inquiry(1, 0xb3, 255), inquiry(1, 0xff, 255)} {
		if c := r.want("5/24/00", cdb); field(c) != "cdb 2" {
			t.Errorf("%x: field %s", cdb, field(c))
		}
	}
}

func TestInquiryIsAnsweredWhateverTheUnitsState(t *testing.T) {
	r := newRig(t, disk(512))
	want := r.in(inquiry(0, 0, 255))
	r.SetReady(false)
	r.Event(scsi.EventUnitReset, nil)
	if have := r.in(inquiry(0, 0, 255)); !bytes.Equal(have, want) {
		t.Errorf("% x", have)
	}
	r.want("6/29/03", testUnitReady) // it took no attention
}

func TestIdentityOutlivesTheUnit(t *testing.T) {
	a, b := newRig(t, disk(512)), newRig(t, disk(512))
	g := disk(512)
	g.Blocks *= 2
	b.SetGeometry(g)
	b.Event(scsi.EventUnitReset, nil)
	for _, cdb := range [][]byte{inquiry(0, 0, 255), inquiry(1, 0x80, 255), inquiry(1, 0x83, 0xffff)} {
		if first, second := a.in(cdb), b.in(cdb); !bytes.Equal(first, second) {
			t.Errorf("%x: % x, later % x", cdb, first, second)
		}
	}
}

func TestWrongUnitAnswersInquiryAndRefusesTheRest(t *testing.T) {
	luns := []uint64{0, 3}
	r := newRig(t, disk(512))
	ask := func(cdb []byte) *scsi.Command {
		c := r.command(cdb, nil)
		scsi.NoSuchUnit(c, luns)
		r.sound(c)
		return c
	}
	c := ask(inquiry(0, 0, 255))
	if p := bytesOf(c); verdict(c) != "GOOD" || len(p) != 36 || p[0] != 0x7f || int(p[4]) != len(p)-5 {
		t.Errorf("INQUIRY: %s, % x", verdict(c), p)
	}
	if c := ask(inquiry(0, 0, 5)); c.Data.Len() != 5 {
		t.Errorf("%d bytes of 5", c.Data.Len())
	}
	if p := bytesOf(ask(raw("a0 00 00 00 00 00 00 00 01 00 00 00"))); binary.BigEndian.Uint32(p) != 16 {
		t.Errorf("REPORT LUNS: % x", p)
	}
	if p := bytesOf(ask(raw("03 00 00 00 ff 00"))); len(p) != 18 || p[2] != 5 || p[12] != 0x25 {
		t.Errorf("REQUEST SENSE: % x", p)
	}
	for cdb, want := range map[string]string{"12 01 83 00 ff 00": "cdb 1", "12 00 83 00 ff 00": "cdb 2"} {
		if c := ask(raw(cdb)); verdict(c) != "5/24/00" || field(c) != want {
			t.Errorf("%s: %s, field %s", cdb, verdict(c), field(c))
		}
	}
	for _, cdb := range [][]byte{testUnitReady, access(0x28, 0, 0, 1), access(0x2a, 0, 0, 1), raw("ff")} {
		if c := ask(cdb); verdict(c) != "5/25/00" {
			t.Errorf("%x: %s", cdb, verdict(c))
		}
	}
}
