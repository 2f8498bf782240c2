package scsi_test

import (
	"bytes"
	"testing"

	"forebay/protocols/scsi"
)

func TestSenseDataIsOfFixedFormat(t *testing.T) {
	r := newRig(t, disk(512))
	for _, tc := range []struct {
		name string
		cdb  []byte
		want string
	}{
		{"unknown opcode", raw("ff"), "70 00 05 00000000 0a 00000000 20 00 00 00 0000"},
		{"field of the CDB", modeSense6(0, 0x01, 0, 255), "70 00 05 00000000 0a 00000000 24 00 00 c0 0002"},
		{"with information", access(0x28, 0, 0x00fedcba, 1), "f0 00 05 00fedcba 0a 00000000 21 00 00 00 0000"},
		{"information of more than 32 bits", access(0x88, 0, 1<<32, 1), "70 00 05 00000000 0a 00000000 21 00 00 00 0000"},
	} {
		if c := r.do(tc.cdb, nil); !bytes.Equal(c.Sense(), raw(tc.want)) {
			t.Errorf("%s: % x, want %s", tc.name, c.Sense(), tc.want)
		}
	}
	list := raw("00 00 00 00 01 00")
	if c := r.do(modeSelect(0x15, pageFormat, list), list); !bytes.Equal(c.Sense(), raw("70 00 05 00000000 0a 00000000 26 00 00 80 0004")) {
		t.Errorf("field of the list: % x", c.Sense())
	}
}

func requestSense(flags, allocation byte) []byte { return []byte{0x03, flags, 0, 0, allocation, 0} }

// REQUEST SENSE succeeds, and its data says what another command would have ended with.
func TestRequestSenseTellsTheUnitsState(t *testing.T) {
	r := newRig(t, disk(512))
	tells := func(want string) {
		t.Helper()
		p := r.in(requestSense(0, 255))
		if len(p) != 18 || p[0] != 0x70 || p[7] != 10 {
			t.Errorf("% x", p)
		}
		if have := [3]byte{p[2], p[12], p[13]}; !bytes.Equal(have[:], raw(want)) {
			t.Errorf("% x, want %s", have, want)
		}
	}
	tells("00 00 00")
	r.Event(scsi.EventUnitReset, nil)
	tells("06 29 03")
	tells("00 00 00") // it took the attention
	r.want("GOOD", testUnitReady)
	r.SetReady(false)
	tells("02 04 01")
	r.SetReady(true)
	r.want("GOOD", startStop(0))
	tells("02 04 02")
}

func TestRequestSenseTellsANewNexusOfThePowerOn(t *testing.T) {
	r := newRig(t, disk(512))
	r.nexus = nexus("iqn.2026-11.example:b,i,0x1")
	if p := r.in(requestSense(0, 255)); p[2] != 6 || p[12] != 0x29 || p[13] != 0 {
		t.Errorf("% x", p)
	}
	r.want("GOOD", testUnitReady)
}

func TestRequestSenseIsCutAndHasNoDescriptors(t *testing.T) {
	r := newRig(t, disk(512))
	for _, n := range []byte{0, 1, 4, 17, 18} {
		if c := r.want("GOOD", requestSense(0, n)); c.Data.Len() != int(n) || c.Want != int(n) {
			t.Errorf("%d bytes of %d", c.Data.Len(), n)
		}
	}
	r.Event(scsi.EventUnitReset, nil)
	if c := r.want("5/24/00", requestSense(0x01, 255)); field(c) != "cdb 1" {
		t.Errorf("field %s", field(c))
	}
	r.want("6/29/03", testUnitReady) // what is refused takes no attention
}
