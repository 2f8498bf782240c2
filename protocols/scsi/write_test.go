package scsi_test

import (
	"fmt"
	"testing"

	"forebay/protocols/scsi"
)

func TestWritesPutWhatCame(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		content := r.fill()
		last := r.g.Blocks - 1
		for i, opcode := range writeOpcodes {
			for _, at := range []struct {
				lba    uint64
				blocks uint32
			}{{0, 1}, {1, 3}, {last, 1}, {last - 15, 16}, {7, 255}} {
				p := pattern(int(at.blocks)*r.size, byte(i+1))
				if c := r.wantOut("GOOD", access(opcode, 0, at.lba, at.blocks), p); c.Want != len(p) {
					t.Errorf("%02x: %d bytes asked", opcode, c.Want)
				}
				copy(content[int(at.lba)*r.size:], p)
			}
			r.holds(content)
		}
	})
}

func TestWriteIsNeverInline(t *testing.T) {
	r := newRig(t, disk(512))
	for _, opcode := range append(writeOpcodes, 0x2e, 0x41, 0x42, 0x35) {
		if r.Inline(r.command(access(opcode, 0, 0, 1), make([]byte, 512))) {
			t.Errorf("%02x is", opcode)
		}
	}
}

func TestWriteWithFUAIsDurable(t *testing.T) {
	g := disk(512)
	g.Blocks = 1 << 20
	r, l := newLedgerRig(t, g)
	for _, opcode := range writeOpcodes[1:] {
		for flags, want := range map[byte]string{0: "write 8+2", dpo: "write 8+2", fua: "write 8+2 fua", dpo | fua: "write 8+2 fua"} {
			r.wantOut("GOOD", access(opcode, flags, 8, 2), make([]byte, 1024))
			r.asked(l, want)
		}
	}
	r.wantOut("GOOD", access(0x0a, 0, 0x080001, 1), make([]byte, 512)) // that 0x08 is of the address
	r.asked(l, "write 524289+1")
}

// The initiator said how much it sends, and the residual tells that it was less than the CDB asks for: FCP-4 9.4.2.
func TestWriteOfFewerBlocksThanAskedWritesThose(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		content := r.fill()
		for i, opcode := range []byte{0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e} {
			for _, blocks := range []int{0, 1, 3} {
				p := pattern(blocks*r.size, byte(i+7))
				flags := byte(0)
				if i > 2 {
					flags = 0x02 // BYTCHK
				}
				if c := r.wantOut("GOOD", access(opcode, flags, 8, 4), p); c.Want != 4*r.size {
					t.Errorf("%02x: %d bytes asked, want %d", opcode, c.Want, 4*r.size)
				}
				copy(content[8*r.size:], p)
				r.holds(content)
			}
		}
	})
}

func TestWriteOfAPartOfABlockWritesNothing(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		content := r.fill()
		for _, opcode := range []byte{0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e} {
			for _, n := range []int{1, 200, r.size - 1, r.size + 1, 4*r.size - 1} {
				if c := r.wantOut("5/0e/03", access(opcode, 0, 8, 4), make([]byte, n)); c.Want != 4*r.size {
					t.Errorf("%02x with %d: %d bytes asked, want %d", opcode, n, c.Want, 4*r.size)
				}
			}
		}
		r.holds(content)
	})
}

func TestWriteOfMoreThanAskedWritesWhatIsAsked(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		content := r.fill()
		for i, opcode := range []byte{0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e} {
			p := pattern(5*r.size+100, byte(i+1))
			if c := r.wantOut("GOOD", access(opcode, 0, 8, 1), p); c.Want != r.size {
				t.Errorf("%02x: %d bytes asked", opcode, c.Want)
			}
			copy(content[8*r.size:9*r.size], p)
			r.holds(content)
		}
	})
}

func TestReadOnlyUnitRefusesEveryChange(t *testing.T) {
	g := disk(512)
	g.ReadOnly = true
	r, l := newLedgerRig(t, g)
	for _, opcode := range []byte{0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e, 0x41, 0x93, 0x42} {
		r.wantOut("7/27/00", access(opcode, 0, 0, 1), make([]byte, 512))
	}
	r.asked(l)
	r.want("GOOD", access(0x28, 0, 0, 1))
	r.want("GOOD", access(0x35, 0, 0, 0))
	r.asked(l, "read 0+1", "flush")
}

func TestWriteEndsAsTheStoreSays(t *testing.T) {
	for _, opcode := range []byte{0x2a, 0x8a, 0x2e} {
		r, l := newLedgerRig(t, disk(512))
		l.fail = map[string]error{"write": fmt.Errorf("array: %w", scsi.ErrNoSpace)}
		if c := r.wantOut("7/27/07", access(opcode, 0, 0, 1), make([]byte, 512)); c.Want != 512 {
			t.Errorf("%02x: %d bytes asked", opcode, c.Want)
		}
	}
}
