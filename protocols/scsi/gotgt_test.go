package scsi_test

import (
	"fmt"
	"testing"
)

// Whatever follows an opcode that nobody knows: gotgt takes some of it for a length.
func TestUnknownOpcodesAreInvalid(t *testing.T) {
	r := newRig(t, disk(512))
	known := make(map[byte]bool)
	for key := range supported(t, r.in(reportOperations(0, 0, 0)), false) {
		known[key[0]] = true
	}
	for opcode := range 256 {
		if known[byte(opcode)] {
			continue
		}
		for _, fill := range []byte{0x00, 0x01, 0x0d, 0x12, 0x80, 0xff} {
			cdb := make([]byte, 16)
			for i := range cdb {
				cdb[i] = fill
			}
			cdb[0] = byte(opcode)
			r.want("5/20/00", cdb)
		}
	}
}

// Commands that gotgt has and that are not offered must not reach it: its persistent reservations, FORMAT UNIT and reads of its own.
func TestWhatOnlyGotgtHasIsNotOffered(t *testing.T) {
	r := newRig(t, disk(512))
	for _, opcode := range []byte{0x04, 0x16, 0x17, 0x1e, 0x34, 0x5e, 0x5f, 0x8b, 0x90} {
		for action := range byte(32) {
			r.wantOut("5/20/00", []byte{opcode, action, 0, 0, 0, 0, 0, 0, 24, 0}, make([]byte, 24))
		}
	}
}

func TestSendDiagnosticRunsTheSelfTestOnly(t *testing.T) {
	r := newRig(t, disk(512))
	r.want("GOOD", raw("1d 04 00 00 00 00"))
	for flags := range 256 {
		if flags&0x04 == 0 {
			r.want("5/24/00", []byte{0x1d, byte(flags), 0, 0, 0, 0})
		}
	}
}

func TestNamesOfAnyLengthFitTheirFields(t *testing.T) {
	for _, name := range []string{"", "ABCDEFGH", "longer than all of the fields there are"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			saved := identity
			defer func() { identity = saved }()
			identity.Vendor, identity.Product = name, name
			p := newRig(t, disk(512)).in(inquiry(0, 0, 255))
			padded := fmt.Sprintf("%-8.8s%-16.16s", name, name)
			if have := string(p[8:32]); len(p) != 74 || have != padded {
				t.Errorf("%q in %d bytes, want %q", have, len(p), padded)
			}
		})
	}
}
