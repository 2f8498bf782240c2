package scsi_test

import (
	"bytes"
	"testing"

	"forebay/protocols/scsi"
)

// modeSelect is MODE SELECT(6) or (10) of a list.
func modeSelect(opcode, flags byte, list []byte) []byte {
	if opcode == 0x15 {
		return []byte{opcode, flags, 0, 0, byte(len(list)), 0}
	}
	return []byte{opcode, flags, 0, 0, 0, 0, 0, byte(len(list) >> 8), byte(len(list)), 0}
}

const pageFormat, savePages = 0x10, 0x01

// selects executes MODE SELECT(6).
func (r *rig) selects(how, where, list string) {
	r.t.Helper()
	if c := r.wantOut(how, modeSelect(0x15, pageFormat, raw(list)), raw(list)); field(c) != where {
		r.t.Errorf("%s: field %s, want %s", list, field(c), where)
	}
}

func TestModeSelectProtectsAndUnprotects(t *testing.T) {
	r := newRig(t, disk(512))
	other := &rig{Unit: r.Unit, t: t, nexus: nexus("iqn.2026-11.example:b,i,0x1"), size: r.size, g: r.g}
	other.want("6/29/00", testUnitReady)
	write := access(0x2a, 0, 0, 1)

	r.selects("GOOD", "none", "00 00 00 00"+controlSWP)
	r.wantOut("7/27/00", write, make([]byte, 512))
	other.want("6/2a/01", testUnitReady)
	other.wantOut("7/27/00", write, make([]byte, 512))
	if p := r.in(modeSense6(dbd, 0x0a, 0, 255)); p[2] != 0x90 || !bytes.Equal(p[4:], raw(controlSWP)) {
		t.Errorf("% x", p)
	}
	if p := r.in(modeSense6(dbd, byDefault|0x0a, 0, 255)); !bytes.Equal(p[4:], raw(control)) {
		t.Errorf("default: % x", p)
	}

	r.selects("GOOD", "none", "00 00 00 00"+controlSWP) // no change, no attention
	r.selects("GOOD", "none", "00 00 00 00"+caching)
	other.want("GOOD", testUnitReady)
	r.selects("GOOD", "none", "00 00 00 00"+control)
	other.want("6/2a/01", testUnitReady)
	r.wantOut("GOOD", write, make([]byte, 512))
}

func TestModeSelectTakesWhatModeSenseGives(t *testing.T) {
	eachBlockSize(t, func(t *testing.T, r *rig) {
		list := r.in(modeSense6(0, 0x3f, 0, 255))
		list[0] = 0
		r.wantOut("GOOD", modeSelect(0x15, pageFormat, list), list)
		for _, flags := range []byte{0, dbd, llbaa} {
			list := r.in(modeSense10(flags, 0x3f, 0, 255))
			list[0], list[1] = 0, 0
			r.wantOut("GOOD", modeSelect(0x55, pageFormat, list), list)
		}
	})
}

func TestModeSelectRefusesOtherBlockDescriptors(t *testing.T) {
	r := newRig(t, disk(512))
	for descriptor, good := range map[string]bool{
		"00 00 00 08 00004000 00000200":                   true,
		"00 00 00 08 00000000 00000200":                   true,
		"00 00 00 08 ffffffff 00000200":                   true,
		"00 00 00 08 00004000 00001000":                   false, // another block length
		"00 00 00 08 00000001 00000200":                   false, // another capacity
		"00 00 00 04 00004000":                            false, // half a descriptor
		"00 00 00 10 00004000 00000200 00004000 00000200": false,
	} {
		how, where := "GOOD", "none"
		if !good {
			how, where = "5/26/00", "list 4"
		}
		r.selects(how, where, descriptor)
	}
	for descriptor, how := range map[string]string{
		"0000 00 00 01 00 0010 0000000000004000 00000000 00000200": "GOOD",
		"0000 00 00 01 00 0010 ffffffffffffffff 00000000 00000200": "GOOD",
		"0000 00 00 01 00 0010 0000000000004000 00000000 00001000": "5/26/00",
		"0000 00 00 00 00 0010 0000000000004000 00000000 00000200": "5/26/00", // long without LONGLBA
		"0000 00 00 01 00 0008 00004000 00000200":                  "5/26/00",
	} {
		r.wantOut(how, modeSelect(0x55, pageFormat, raw(descriptor)), raw(descriptor))
	}
}

func TestModeSelectRefusesWhatItCanNotDo(t *testing.T) {
	r := newRig(t, disk(512))
	const header = "00 00 00 00 "
	for _, tc := range []struct{ name, list, how, field string }{
		{"unchangeable bit", header + "08 12 04" + "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", "5/26/00", "list 6"},
		{"another bit of the control page", header + "0a 0a 02 10 00 00 00 00 ff ff 00 00", "5/26/00", "list 6"},
		{"unknown page", header + "01 02 00 00", "5/26/00", "list 4"},
		{"page of another length", header + "0a 02 00 10", "5/26/00", "list 4"},
		{"subpage", header + "4a 01 00 00 00", "5/26/00", "list 4"},
		{"second page wrong", header + controlSWP + "01 00", "5/26/00", "list 16"},
		{"cut header", "00 00 00", "5/1a/00", "none"},
		{"cut descriptor", "00 00 00 08 00 00", "5/1a/00", "none"},
		{"cut page", header + "0a 0a 00 10 08", "5/1a/00", "none"},
		{"cut page header", header + "0a", "5/1a/00", "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.t = t
			r.selects(tc.how, tc.field, tc.list)
			r.wantOut("GOOD", access(0x2a, 0, 0, 1), make([]byte, 512)) // nothing was applied
		})
	}
	list := raw(header + control)
	for _, flags := range []byte{0, savePages, pageFormat | savePages} {
		if c := r.wantOut("5/24/00", modeSelect(0x15, flags, list), list); field(c) != "cdb 1" {
			t.Errorf("flags %02x: field %s", flags, field(c))
		}
	}
	r.wantOut("5/0e/03", modeSelect(0x15, pageFormat, list), list[:8])
	r.want("GOOD", raw("15 10 00 00 00 00"))
	r.want("GOOD", raw("15 00 00 00 00 00"))
	r.want("GOOD", raw("55 10 00 00 00 00 00 00 00 00"))
}

func TestResetEndsWriteProtection(t *testing.T) {
	r := newRig(t, disk(512))
	r.selects("GOOD", "none", "00 00 00 00"+controlSWP)
	r.Event(scsi.EventUnitReset, r.nexus)
	r.want("6/29/03", testUnitReady)
	r.wantOut("GOOD", access(0x2a, 0, 0, 1), make([]byte, 512))
}
