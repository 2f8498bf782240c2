package scsi_test

import (
	"bytes"
	"fmt"
	"testing"
)

// Byte 1 of WRITE SAME.
const (
	sameAnchor = 0x10
	sameUnmap  = 0x08
	samePBDATA = 0x04
	sameLBDATA = 0x02
	sameNDOB   = 0x01
)

func TestWriteSameRepeatsItsBlock(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		content := r.fill()
		for i, opcode := range []byte{0x41, 0x93} {
			block := pattern(r.size, byte(i+1))
			for _, at := range []struct{ lba, blocks int }{{0, 1}, {5, 7}, {int(r.g.Blocks) - 3, 3}, {100, mib/r.size + 1}} {
				if c := r.wantOut("GOOD", access(opcode, 0, uint64(at.lba), uint32(at.blocks)), block); c.Want != r.size {
					t.Errorf("%02x: %d bytes asked", opcode, c.Want)
				}
				copy(content[at.lba*r.size:], bytes.Repeat(block, at.blocks))
			}
			r.holds(content)
		}
	})
}

func TestWriteSameWritesInChunks(t *testing.T) {
	r, l := newLedgerRig(t, disk(4096))
	r.wantOut("GOOD", access(0x93, 0, 1, 600), pattern(4096, 1))
	r.asked(l, "write 1+256", "write 257+256", "write 513+88")
	r.wantOut("GOOD", access(0x93, sameUnmap, 1, 2), pattern(4096, 1)) // what isn't zero can't be unmapped
	r.asked(l, "write 1+2")
}

func TestWriteSameOfZerosIsLeftToTheStore(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	zeros := make([]byte, 512)
	for _, tc := range []struct {
		opcode, flags byte
		out           []byte
		want          string
	}{
		{0x41, 0, zeros, "discard 8+100 zero"},
		{0x93, 0, zeros, "discard 8+100 zero"},
		{0x41, sameUnmap, zeros, "discard 8+100 unmap to zero"},
		{0x93, sameUnmap, zeros, "discard 8+100 unmap to zero"},
		{0x93, sameNDOB, nil, "discard 8+100 zero"},
		{0x93, sameNDOB | sameUnmap, nil, "discard 8+100 unmap to zero"},
	} {
		c := r.wantOut("GOOD", access(tc.opcode, tc.flags, 8, 100), tc.out)
		if c.Want != len(tc.out) {
			t.Errorf("%02x with %02x: %d bytes asked", tc.opcode, tc.flags, c.Want)
		}
		r.asked(l, tc.want)
	}
}

func TestWriteSameRefusesWhatItDoesNotOffer(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	block := pattern(512, 1)
	for _, opcode := range []byte{0x41, 0x93} {
		for _, flags := range []byte{sameAnchor, sameAnchor | sameUnmap, samePBDATA, sameLBDATA} {
			if c := r.wantOut("5/24/00", access(opcode, flags, 0, 1), block); field(c) != "cdb 1" {
				t.Errorf("%02x with %02x: field %s", opcode, flags, field(c))
			}
		}
	}
	g := r.g
	g.Thin = false
	r.SetGeometry(g)
	r.want("6/2a/09", testUnitReady)
	r.want("6/3f/03", testUnitReady)
	for _, opcode := range []byte{0x41, 0x93} {
		r.wantOut("5/24/00", access(opcode, sameUnmap, 0, 1), block)
	}
	r.asked(l)
}

// WSNZ: a length of zero would mean up to the end.
func TestWriteSameHasLimits(t *testing.T) {
	g := disk(512)
	g.Blocks = 1 << 17
	r, l := newLedgerRig(t, g)
	most := uint32(1 << 15)
	for _, tc := range []struct {
		opcode byte
		blocks uint32
		field  string
	}{{0x41, 0, "cdb 7"}, {0x93, 0, "cdb 10"}, {0x41, most + 1, "cdb 7"}, {0x93, most + 1, "cdb 10"}, {0x93, 1 << 17, "cdb 10"}} {
		if c := r.wantOut("5/24/00", access(tc.opcode, 0, 0, tc.blocks), make([]byte, 512)); field(c) != tc.field {
			t.Errorf("%02x of %d: field %s", tc.opcode, tc.blocks, field(c))
		}
	}
	r.asked(l)
	r.wantOut("GOOD", access(0x41, 0, 0, most), make([]byte, 512))
	r.asked(l, fmt.Sprintf("discard 0+%d zero", most))
}

func TestWriteSameTakesExactlyOneBlock(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, n := range []int{0, 1, 511, 513, 1024} {
		for _, opcode := range []byte{0x41, 0x93} {
			r.wantOut("5/0e/03", access(opcode, 0, 0, 4), make([]byte, n))
		}
	}
	r.wantOut("5/0e/03", access(0x93, sameNDOB, 0, 4), make([]byte, 512))
	r.asked(l)
	r.wantOut("GOOD", access(0x41, sameNDOB, 0, 4), make([]byte, 512)) // reserved there
	r.asked(l, "discard 0+4 zero")
}
