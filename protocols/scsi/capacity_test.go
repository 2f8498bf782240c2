package scsi_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

func readCapacity16(allocation uint32) []byte {
	p := access(0x9e, 0x10, 0, 0)
	binary.BigEndian.PutUint32(p[10:], allocation)
	return p
}

var readCapacity10 = raw("25 00 00 00 00 00 00 00 00 00")

func TestReadCapacity(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		be := binary.BigEndian
		p := r.in(readCapacity10)
		if len(p) != 8 || uint64(be.Uint32(p)) != r.g.Blocks-1 || int(be.Uint32(p[4:])) != r.size {
			t.Errorf("READ CAPACITY(10): % x", p)
		}
		p = r.in(readCapacity16(255))
		if len(p) != 32 || be.Uint64(p) != r.g.Blocks-1 || int(be.Uint32(p[8:])) != r.size {
			t.Fatalf("READ CAPACITY(16): % x", p)
		}
		exponent := map[int]byte{512: 3, 4096: 0}[r.size]
		if p[12] != 0 || p[13] != exponent || !bytes.Equal(p[14:], raw("c000 00000000 00000000 00000000 00000000")) {
			t.Errorf("protection, exponent, provisioning, alignment: % x", p[12:])
		}
	})
}

func TestReadCapacity16IsCutAtTheAllocationLength(t *testing.T) {
	r := newRig(t, disk(512))
	for _, n := range []uint32{0, 1, 12, 31} {
		if c := r.want("GOOD", readCapacity16(n)); c.Data.Len() != int(n) || c.Want != int(n) {
			t.Errorf("%d bytes of %d", c.Data.Len(), n)
		}
	}
}

func TestCapacityBeyond32BitsIsToldBySixteen(t *testing.T) {
	for blocks, want := range map[uint64]uint32{1 << 32: 0xffffffff, 1<<32 - 1: 0xfffffffe, 1<<32 + 1: 0xffffffff, 1 << 40: 0xffffffff} {
		g := disk(512)
		g.Blocks = blocks
		r := newRigOver(t, g, scsitest.NewMem(0), nil)
		if have := binary.BigEndian.Uint32(r.in(readCapacity10)); have != want {
			t.Errorf("%d blocks: %x, want %x", blocks, have, want)
		}
		if have := binary.BigEndian.Uint64(r.in(readCapacity16(32))); have != blocks-1 {
			t.Errorf("%d blocks: last is %d", blocks, have)
		}
	}
}

func TestReadCapacity10RefusesAnAddressWithoutPMI(t *testing.T) {
	r := newRig(t, disk(512))
	r.want("5/24/00", raw("25 00 00 00 00 01 00 00 00 00"))
	r.want("GOOD", raw("25 00 00 00 00 01 00 00 01 00"))
}

// A capacity of no blocks has no last address.
func TestUnitWithoutBlocksIsNotReady(t *testing.T) {
	u := scsi.NewUnit(scsi.UnitOptions{Identity: identity, Store: scsitest.NewMem(0)})
	u.SetReady(true)
	r := &rig{Unit: u, t: t, nexus: nexus("iqn.2026-11.example:a,i,0x1")}
	r.want("6/29/00", testUnitReady)
	for _, cdb := range [][]byte{testUnitReady, readCapacity10, readCapacity16(32), access(0x28, 0, 0, 1)} {
		r.want("2/04/01", cdb)
	}
}
