package scsi_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"forebay/protocols/scsi"
)

func reportLUNs(selectReport byte, allocation uint32) []byte {
	p := make([]byte, 12)
	p[0], p[2] = 0xa0, selectReport
	binary.BigEndian.PutUint32(p[6:], allocation)
	return p
}

func TestReportLUNsOfOneUnit(t *testing.T) {
	r := newRig(t, disk(512))
	want := raw("00000008 00000000 0000000000000000")
	for _, which := range []byte{0x00, 0x02} {
		if have := r.in(reportLUNs(which, 1024)); !bytes.Equal(have, want) {
			t.Errorf("%02x: % x", which, have)
		}
	}
	if have := r.in(reportLUNs(0x01, 1024)); !bytes.Equal(have, make([]byte, 8)) {
		t.Errorf("well known units: % x", have)
	}
	for _, which := range []byte{0x03, 0x10, 0xff} {
		if c := r.want("5/24/00", reportLUNs(which, 1024)); field(c) != "cdb 2" {
			t.Errorf("%02x: field %s", which, field(c))
		}
	}
}

func TestReportLUNsSortsThemAndIsCut(t *testing.T) {
	r := newRig(t, disk(512))
	luns := []uint64{300, 0, 7, 255, 256}
	report := func(n uint32) []byte {
		c := r.command(reportLUNs(0, n), nil)
		scsi.ReportLUNs(c, luns)
		r.sound(c)
		return bytesOf(c)
	}
	want := raw("00000028 00000000 0000000000000000 0007000000000000 00ff000000000000 4100000000000000 412c000000000000")
	if have := report(1024); !bytes.Equal(have, want) {
		t.Errorf("% x", have)
	}
	for _, n := range []uint32{0, 1, 8, 15, 16, 24} { // SPC-4: truncation is no error
		if have := report(n); !bytes.Equal(have, want[:n]) {
			t.Errorf("%d bytes: % x", n, have)
		}
	}
	if luns[0] != 300 {
		t.Error("the caller's list was sorted in place")
	}
}

func TestReportLUNsTakesNoAttention(t *testing.T) {
	r := newRig(t, disk(512))
	r.Event(scsi.EventUnitReset, nil)
	r.want("GOOD", reportLUNs(0, 1024))
	r.want("6/29/03", testUnitReady)
}

func TestLUNsAreReadAsTheyAreWritten(t *testing.T) {
	for _, lun := range []uint64{0, 1, 255, 256, 1000, 16383} {
		p := scsi.EncodeLUN(lun)
		have, ok := scsi.DecodeLUN(p)
		if len(p) != 8 || !ok || have != lun {
			t.Errorf("%d: % x reads as %d, %v", lun, p, have, ok)
		}
	}
	if lun, ok := scsi.DecodeLUN(raw("4005000000000000")); !ok || lun != 5 {
		t.Error("flat space addressing of a small number isn't understood")
	}
}

func TestStrangeLUNsAreNone(t *testing.T) {
	for _, lun := range []string{
		"0100000000000000", // another bus
		"0000000100000000", // a second level
		"0001000000000001",
		"8000000000000000", // logical unit addressing
		"c101000000000000", // REPORT LUNS well known unit
		"d200000100000000", // extended flat space
		"ffffffffffffffff",
	} {
		if have, ok := scsi.DecodeLUN(raw(lun)); ok {
			t.Errorf("%s is %d", lun, have)
		}
	}
}
