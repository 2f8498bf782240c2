package scsi_test

import (
	"testing"
)

var verifyOpcodes = []byte{0x2f, 0xaf, 0x8f}

// BYTCHK as it stands in byte 1.
const (
	bytchkNone     = 0x00
	bytchkAll      = 0x02
	bytchkReserved = 0x04
	bytchkSame     = 0x06
)

func TestVerifyWithoutDataReadsAllOfIt(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, opcode := range verifyOpcodes {
		if c := r.wantOut("GOOD", access(opcode, bytchkNone|dpo, 8, 1100), []byte("what came is not looked at")); c.Want != 0 {
			t.Errorf("%02x: %d bytes asked", opcode, c.Want)
		}
		r.asked(l, "read 8+512", "read 520+512", "read 1032+76")
	}
}

func TestVerifyComparesAllBytes(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		content := r.fill()
		for _, opcode := range verifyOpcodes {
			for _, n := range []int{1, 2, 65, 256} { // over one chunk with 4096-byte blocks
				p := append([]byte(nil), content[3*r.size:(3+n)*r.size]...)
				if c := r.wantOut("GOOD", access(opcode, bytchkAll, 3, uint32(n)), p); c.Want != len(p) {
					t.Errorf("%02x: %d bytes asked", opcode, c.Want)
				}
				for _, at := range []int{0, len(p) / 2, len(p) - 1} {
					p[at] ^= 1
					if c := r.wantOut("e/1d/00", access(opcode, bytchkAll, 3, uint32(n)), p); information(c) != int64(at) {
						t.Errorf("%02x of %d blocks: information %d, want %d", opcode, n, information(c), at)
					}
					p[at] ^= 1
				}
			}
		}
		r.holds(content)
	})
}

func TestVerifyComparesEveryBlockWithTheOneThatCame(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		block := pattern(r.size, 3)
		r.wantOut("GOOD", access(0x41, 0, 0, 1000), block)
		for _, opcode := range verifyOpcodes {
			for _, n := range []uint32{1, 64, 65, 1000} {
				if c := r.wantOut("GOOD", access(opcode, bytchkSame, 0, n), block); c.Want != r.size {
					t.Errorf("%02x: %d bytes asked", opcode, c.Want)
				}
			}
			if c := r.wantOut("e/1d/00", access(opcode, bytchkSame, 0, 1001), block); information(c) < 1000*int64(r.size) {
				t.Errorf("%02x: information %d", opcode, information(c))
			}
			r.want("GOOD", access(opcode, bytchkSame, 0, 0))
		}
	})
}

func TestVerifyNeedsAllItsData(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, opcode := range verifyOpcodes {
		for _, flags := range []byte{bytchkAll, bytchkSame} {
			r.wantOut("5/0e/03", access(opcode, flags, 0, 1), make([]byte, 511))
			r.wantOut("5/0e/03", access(opcode, flags, 0, 1), nil)
		}
		r.wantOut("5/0e/03", access(opcode, bytchkAll, 0, 2), make([]byte, 512))
	}
	r.asked(l)
}

func TestVerifyOfNothingIsGood(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, opcode := range verifyOpcodes {
		for _, flags := range []byte{bytchkNone, bytchkAll, bytchkSame} {
			r.want("GOOD", access(opcode, flags, 5, 0))
		}
	}
	r.asked(l)
}

func TestReservedBYTCHKIsRefused(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for opcode, flags := range map[byte][]byte{0x2f: {bytchkReserved}, 0xaf: {bytchkReserved}, 0x8f: {bytchkReserved},
		0x2e: {bytchkReserved, bytchkSame}, 0xae: {bytchkReserved, bytchkSame}, 0x8e: {bytchkReserved, bytchkSame}} {
		for _, f := range flags {
			if c := r.wantOut("5/24/00", access(opcode, f, 0, 1), make([]byte, 512)); field(c) != "cdb 1" {
				t.Errorf("%02x: field %s", opcode, field(c))
			}
		}
	}
	r.asked(l)
}

func TestWriteAndVerifyIsDurableAndReadBack(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for i, opcode := range []byte{0x2e, 0xae, 0x8e} {
		p := pattern(2*512, byte(i))
		r.wantOut("GOOD", access(opcode, bytchkNone, 8, 2), p)
		r.asked(l, "write 8+2 fua")
		r.wantOut("GOOD", access(opcode, bytchkAll|dpo, 8, 2), p)
		r.asked(l, "write 8+2 fua", "read 8+2")
		r.wantOut("GOOD", access(opcode, bytchkAll, 8, 2), p[:512])
		r.asked(l, "write 8+1 fua", "read 8+1")
	}
}
