package scsi_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"forebay/protocols/scsi"
)

// page is the body of a VPD page, whose header must fit.
func (r *rig) page(code byte) []byte {
	r.t.Helper()
	p := r.in(inquiry(1, code, 0xffff))
	if len(p) < 4 || p[0] != 0 || p[1] != code || int(binary.BigEndian.Uint16(p[2:])) != len(p)-4 {
		r.t.Fatalf("page %02x: header % x of %d bytes", code, p[:4], len(p))
	}
	return p[4:]
}

func TestSupportedPagesAreSortedAndServed(t *testing.T) {
	r := newRig(t, disk(512))
	list := r.page(0x00)
	if !slices.IsSorted(list) || !bytes.Equal(list, raw("00 80 83 86 b0 b1 b2")) {
		t.Errorf("% x", list)
	}
	for _, code := range list {
		r.page(code)
	}
}

func TestSerialNumberPage(t *testing.T) {
	if have := string(newRig(t, disk(512)).page(0x80)); have != identity.Serial {
		t.Errorf("%q", have)
	}
}

// designator is one of page 83h.
type designator struct{ protocol, set, association, kind byte }

func designators(t *testing.T, p []byte) map[designator]string {
	t.Helper()
	list := make(map[designator]string)
	for len(p) > 0 {
		if len(p) < 4 || len(p)-4 < int(p[3]) || p[2] != 0 {
			t.Fatalf("a designator is cut: % x", p)
		}
		d := designator{p[0] >> 4, p[0] & 0x0f, p[1] >> 4, p[1] & 0x0f} // association with PIV before it
		end := 4 + int(p[3])
		list[d] = string(p[4:end])
		p = p[end:]
	}
	return list
}

func TestDeviceIdentificationNamesUnitAndPort(t *testing.T) {
	r := newRig(t, disk(512))
	list := designators(t, r.page(0x83))
	for d, want := range map[designator]string{
		{0, 1, 0x0, 3}: string(identity.NAA[:]),
		{0, 2, 0x0, 1}: "FOREBAY vmstore.6001405abc0102030405060708090a0b",
		{5, 1, 0x9, 4}: "\x00\x00\x00\x01", // relative port, iSCSI, of the port
		{5, 3, 0x9, 8}: "iqn.2026-11.example:t,t,0x0001\x00\x00",
	} {
		if list[d] != want {
			t.Errorf("%v is %q, want %q", d, list[d], want)
		}
	}
	if len(list) != 4 {
		t.Errorf("%d designators", len(list))
	}
	if identity.NAA[0]>>4 != 6 {
		t.Error("not NAA 6")
	}
}

func TestLongNamesKeepTheirDesignatorsWithinALengthByte(t *testing.T) {
	long := identity
	long.Name, long.Serial, long.Vendor = strings.Repeat("n", 300), strings.Repeat("s", 300), "MORETHANEIGHT"
	u := scsi.NewUnit(scsi.UnitOptions{Identity: long})
	n := nexus("iqn.2026-11.example:a,i,0x1")
	n.Target = "iqn." + strings.Repeat("t", 219)
	c := &scsi.Command{Nexus: n, Room: mib}
	copy(c.CDB[:], inquiry(1, 0x83, 0xffff))
	execute(u, c)
	list := designators(t, bytesOf(c)[4:])
	if name := list[designator{5, 3, 0x9, 8}]; len(name)%4 != 0 || !strings.HasPrefix(name, n.Target+",t,0x0001\x00") {
		t.Errorf("port name %q", name)
	}
	if name := list[designator{0, 2, 0x0, 1}]; !strings.HasPrefix(name, "MORETHANnnn") {
		t.Errorf("vendor designator %q", name)
	}
}

func TestExtendedInquiryPage(t *testing.T) {
	g := disk(512)
	for writeCache, want := range map[bool]byte{false: 0x00, true: 0x01} {
		g.WriteCache = writeCache
		p := newRig(t, g).page(0x86)
		if len(p) != 60 || p[0] != 0 || p[1] != 0x01 || p[2] != want {
			t.Errorf("write cache %v: %d bytes, % x", writeCache, len(p), p[:4])
		}
	}
}

func TestBlockLimitsPage(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		g := r.g
		g.UnmapGrain = 128
		r.SetGeometry(g)
		r.want("6/3f/03", testUnitReady)
		p, be := r.page(0xb0), binary.BigEndian
		if len(p) != 60 || p[0] != 0x01 {
			t.Fatalf("%d bytes, WSNZ %02x", len(p), p[0])
		}
		for _, tc := range []struct {
			name string
			have uint64
			want int
		}{
			{"optimal granularity", uint64(be.Uint16(p[2:])), 4096 / r.size},
			{"maximum transfer", uint64(be.Uint32(p[4:])), scsi.MaxTransfer / r.size},
			{"optimal transfer", uint64(be.Uint32(p[8:])), mib / r.size},
			{"maximum UNMAP blocks", uint64(be.Uint32(p[16:])), 1 << 20},
			{"maximum UNMAP descriptors", uint64(be.Uint32(p[20:])), 256},
			{"UNMAP granularity", uint64(be.Uint32(p[24:])), 128},
			{"UNMAP alignment", uint64(be.Uint32(p[28:])), 1 << 31},
			{"maximum WRITE SAME", be.Uint64(p[32:]), 1 << 15},
		} {
			if tc.have != uint64(tc.want) {
				t.Errorf("%s: %d, want %d", tc.name, tc.have, tc.want)
			}
		}
	})
}

func TestUnmapLimitsAreZeroWithoutThinProvisioning(t *testing.T) {
	g := disk(512)
	g.Thin, g.UnmapGrain = false, 8
	r := newRig(t, g)
	if p := r.page(0xb0); !bytes.Equal(p[16:32], make([]byte, 16)) {
		t.Errorf("block limits % x", p[16:32])
	}
	if p := r.page(0xb2); !bytes.Equal(p, make([]byte, 4)) {
		t.Errorf("provisioning % x", p)
	}
}

func TestCharacteristicsAreThoseOfNoDisc(t *testing.T) {
	if p := newRig(t, disk(512)).page(0xb1); len(p) != 60 || !bytes.Equal(p[:2], raw("0001")) {
		t.Errorf("%d bytes, % x", len(p), p[:2])
	}
}

func TestProvisioningPageAgreesWithReadCapacity(t *testing.T) {
	g := disk(512)
	for _, zeroes := range []bool{false, true} {
		g.ZeroesOnUnmap = zeroes
		r := newRig(t, g)
		p := r.page(0xb2)
		if len(p) != 4 || p[1]&0xe0 != 0xe0 || p[1]&0x02 != 0 || p[2]&0x07 != 2 {
			t.Errorf("% x", p) // LBPU, LBPWS, LBPWS10, no ANC_SUP; thin
		}
		capacity := r.in(readCapacity16(32))
		if capacity[14]&0x80 == 0 || p[1]&0x04 != 0 != zeroes || capacity[14]&0x40 != 0 != zeroes {
			t.Errorf("zeroes %v: page % x, capacity %02x", zeroes, p, capacity[14])
		}
	}
}
