package scsi_test

import (
	"fmt"
	"testing"

	"forebay/protocols/scsi"
)

func TestLengthOfZeroIs256InSixBytesOnly(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	if c := r.want("GOOD", access(0x08, 0, 1, 0)); c.Want != 256*512 {
		t.Errorf("%d bytes asked", c.Want)
	}
	r.asked(l, "read 1+256")
	r.wantOut("GOOD", access(0x0a, 0, 1, 0), make([]byte, 256*512))
	r.asked(l, "write 1+256")
	for i := 1; i < 4; i++ {
		for _, opcode := range []byte{readOpcodes[i], writeOpcodes[i]} {
			if c := r.want("GOOD", access(opcode, 0, 1, 0)); c.Want != 0 || c.Data.Len() != 0 {
				t.Errorf("%02x: %d bytes asked", opcode, c.Want)
			}
			r.asked(l)
		}
	}
}

func TestWhatIsOutOfRangeReachesNoStore(t *testing.T) {
	for _, size := range []int{512, 4096} {
		r, l := newLedgerRig(t, disk(size))
		end := r.g.Blocks
		for i, opcodes := range [][]byte{readOpcodes[1:], writeOpcodes[1:], {0x2e, 0xae, 0x8e}, {0x2f, 0xaf, 0x8f}, {0x41, 0x93}, {0x35, 0x91}} {
			for _, opcode := range opcodes {
				for _, at := range []struct {
					lba    uint64
					blocks uint32
				}{{end, 1}, {end - 1, 2}, {end + 1, 0}, {0xffffffff, 1}, {0xffffffff, 0xffff}, {0, uint32(end) + 1}} {
					if (opcode>>5 == 1 || opcode>>5 == 2) && at.blocks > 0xffff || opcode == 0x41 && at.blocks == 0 {
						continue
					}
					c := r.wantOut("5/21/00", access(opcode, 0, at.lba, at.blocks), make([]byte, 2*size))
					if information(c) != int64(at.lba) {
						t.Errorf("%02x at %d: information %d", opcode, at.lba, information(c))
					}
					if c.Want != 0 {
						t.Errorf("%02x at %d: %d bytes asked", opcode, at.lba, c.Want)
					}
				}
			}
			for _, lba := range []uint64{1 << 63, ^uint64(0), ^uint64(0) - 7} {
				opcode := opcodes[len(opcodes)-1]
				if c := r.wantOut("5/21/00", access(opcode, 0, lba, 8), make([]byte, size)); information(c) != -1 {
					t.Errorf("family %d at %x: information %x", i, lba, information(c))
				}
			}
		}
		r.asked(l)
	}
}

func TestNothingAtTheEndIsInRange(t *testing.T) {
	r := newRig(t, disk(512))
	for _, opcode := range append(readOpcodes[1:], writeOpcodes[1:]...) {
		r.want("GOOD", access(opcode, 0, r.g.Blocks, 0))
	}
}

func TestTooLongTransfersAreRefused(t *testing.T) {
	for _, size := range []int{512, 4096} {
		r, l := newLedgerRig(t, disk(size))
		most := uint32(scsi.MaxTransfer / size)
		for opcode, at := range map[byte]string{0x28: "cdb 7", 0xa8: "cdb 6", 0x88: "cdb 10", 0x2a: "cdb 7", 0xaa: "cdb 6", 0x8a: "cdb 10", 0x8e: "cdb 10"} {
			if c := r.wantOut("5/24/00", access(opcode, 0, 0, most+1), make([]byte, 8)); field(c) != at {
				t.Errorf("%02x: field %s, want %s", opcode, field(c), at)
			}
		}
		r.asked(l)
		r.want("GOOD", access(0x88, 0, 0, most))
		r.wantOut("GOOD", access(0x8a, 0, 0, most), make([]byte, scsi.MaxTransfer))
		r.asked(l, fmt.Sprintf("read 0+%d", most), fmt.Sprintf("write 0+%d", most))
	}
}

func TestProtectionInformationIsRefused(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, opcode := range []byte{0x28, 0xa8, 0x88, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e, 0x2f, 0xaf, 0x8f, 0x41, 0x93} {
		for _, protect := range []byte{0x20, 0x40, 0x60, 0x80, 0xa0, 0xe0} {
			if c := r.wantOut("5/24/00", access(opcode, protect, 0, 1), make([]byte, 512)); field(c) != "cdb 1" {
				t.Errorf("%02x: field %s", opcode, field(c))
			}
		}
	}
	r.asked(l)
}
