package scsi_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"forebay/protocols/scsi"
)

// reportOperations is REPORT SUPPORTED OPERATION CODES: byte 2 with RCTD and the option, then what is asked for.
func reportOperations(options, opcode byte, action uint16) []byte {
	return []byte{0xa3, 0x0c, options, opcode, byte(action >> 8), byte(action), 0, 1, 0, 0, 0, 0}
}

const rctd = 0x80

// supported parses the list of all commands.
func supported(t *testing.T, p []byte, timeouts bool) map[[3]byte]int {
	t.Helper()
	be := binary.BigEndian
	if int(be.Uint32(p))+4 != len(p) {
		t.Fatalf("a list of %d bytes says %d", len(p), be.Uint32(p))
	}
	lengths := make(map[[3]byte]int)
	for p = p[4:]; len(p) > 0; {
		key := [3]byte{p[0], p[2], p[3]}
		if p[5]&0x02 != 0 != timeouts || p[5]&0x01 == 0 && key[1]|key[2] != 0 {
			t.Errorf("%x: flags %02x", key, p[5])
		}
		lengths[key] = int(be.Uint16(p[6:]))
		p = p[8:]
		if timeouts {
			if be.Uint16(p) != 10 {
				t.Errorf("%x: a timeouts descriptor of length %d", key, be.Uint16(p))
			}
			p = p[12:]
		}
	}
	return lengths
}

func TestAllOperationsAreListedWithTheirLength(t *testing.T) {
	r := newRig(t, disk(512))
	plain := supported(t, r.in(reportOperations(0, 0, 0)), false)
	timed := supported(t, r.in(reportOperations(rctd, 0, 0)), true)
	if len(plain) < 33 || len(timed) != len(plain) {
		t.Errorf("%d operations, %d with timeouts", len(plain), len(timed))
	}
	for key, n := range map[[3]byte]int{{0x00}: 6, {0x28}: 10, {0xa8}: 12, {0x88}: 16, {0x9e, 0, 0x10}: 16, {0xa3, 0, 0x0c}: 12, {0x42}: 10} {
		if plain[key] != n {
			t.Errorf("%x: length %d, want %d", key, plain[key], n)
		}
	}
}

func TestEveryListedOperationIsExecuted(t *testing.T) {
	r := newRig(t, disk(512))
	for key := range supported(t, r.in(reportOperations(0, 0, 0)), false) {
		c := r.do([]byte{key[0], key[2]}, nil)
		if v := verdict(c); v == "5/20/00" {
			t.Errorf("%x is listed, and %s", key, v)
		}
		r.do([]byte{0x1b, 0, 0, 0, 1}, nil) // the list has START STOP UNIT, which stops
	}
}

func TestOneOperationIsReportedWithItsUsage(t *testing.T) {
	r := newRig(t, disk(512))
	for _, tc := range []struct {
		name   string
		option byte
		opcode byte
		action uint16
		want   string
	}{
		{"by opcode", 1, 0x28, 0, "00 03 00 0a 28 18 ff ff ff ff 00 ff ff 00"},
		{"by either", 3, 0x28, 0, "00 03 00 0a 28 18 ff ff ff ff 00 ff ff 00"},
		{"with action", 2, 0x9e, 0x10, "00 03 00 10 9e 10 00 00 00 00 00 00 00 00 ff ff ff ff 00 00"},
		{"either, with action", 3, 0x9e, 0x10, "00 03 00 10 9e 10 00 00 00 00 00 00 00 00 ff ff ff ff 00 00"},
		{"with timeouts", 1 | rctd, 0x00, 0, "00 83 00 06 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00"},
		{"unknown opcode", 1, 0xff, 0, "00 01 00 00"},
		{"unknown opcode with action", 2, 0xff, 3, "00 01 00 00"},
		{"unknown action", 2, 0x9e, 0x12, "00 01 00 00"},
		{"unknown action, either", 3, 0x9e, 0x12, "00 01 00 00"},
	} {
		if have := r.in(reportOperations(tc.option, tc.opcode, tc.action)); !bytes.Equal(have, raw(tc.want)) {
			t.Errorf("%s: % x, want %s", tc.name, have, tc.want)
		}
	}
	for _, tc := range []struct{ option, opcode byte }{{1, 0x9e}, {2, 0x28}, {4, 0x28}, {7, 0}} {
		if c := r.want("5/24/00", reportOperations(tc.option, tc.opcode, 0)); field(c) != "cdb 2" {
			t.Errorf("option %d for %02x: field %s", tc.option, tc.opcode, field(c))
		}
	}
}

func TestReportedOperationsAreCutAtTheAllocationLength(t *testing.T) {
	r := newRig(t, disk(512))
	cdb := reportOperations(0, 0, 0)
	for _, n := range []uint32{0, 1, 4, 100} {
		binary.BigEndian.PutUint32(cdb[6:], n)
		if have := len(r.in(cdb)); have != int(n) {
			t.Errorf("%d bytes of %d", have, n)
		}
	}
}

// A bit that is always refused is not one that an initiator may use.
func TestUsageDataNamesWhatMaySet(t *testing.T) {
	r := newRig(t, disk(512))
	for opcode, flags := range map[byte]byte{
		0x28: 0x18, 0x2a: 0x18, 0x88: 0x18, 0x8a: 0x18, 0xa8: 0x18, 0xaa: 0x18, // DPO, FUA
		0x2e: 0x12, 0x8e: 0x12, 0xae: 0x12, 0x2f: 0x16, 0x8f: 0x16, 0xaf: 0x16, // DPO, BYTCHK
		0x41: 0x08, 0x93: 0x09, 0x42: 0x00, // UNMAP, NDOB; no ANCHOR
		0x35: 0x02, 0x91: 0x02, 0x15: 0x10, 0x55: 0x10, 0x1a: 0x08, 0x5a: 0x18, // IMMED; PF; DBD, LLBAA
	} {
		if have := r.in(reportOperations(1, opcode, 0)); have[5] != flags {
			t.Errorf("%02x: %02x, want %02x", opcode, have[5], flags)
		}
	}
}

func TestUnmapIsUnknownWithoutThinProvisioning(t *testing.T) {
	g := disk(512)
	g.Thin, g.ReadOnly = false, true
	r := newRig(t, g)
	r.wantOut("5/20/00", raw("42 00 00 00 00 00 00 00 18 00"), make([]byte, 24))
	if _, listed := supported(t, r.in(reportOperations(0, 0, 0)), false)[[3]byte{0x42}]; listed {
		t.Error("it is listed")
	}
	if have := r.in(reportOperations(1, 0x42, 0)); have[1] != 0x01 {
		t.Errorf("reported as % x", have)
	}
}

func TestUnknownServiceActionIsAFieldOfTheCDB(t *testing.T) {
	r := newRig(t, disk(512))
	for _, cdb := range []string{"9e 12", "9e 00", "a3 05", "a3 0a"} {
		if c := r.want("5/24/00", raw(cdb)); field(c) != "cdb 1" {
			t.Errorf("%s: field %s", cdb, field(c))
		}
	}
}

func TestNACAIsRefusedWhereverTheControlByteIs(t *testing.T) {
	r := newRig(t, disk(512))
	for opcode, at := range map[byte]int{0x00: 5, 0x12: 5, 0x08: 5, 0x28: 9, 0xa8: 11, 0x88: 15, 0x2a: 9, 0xa0: 11} {
		cdb := make([]byte, 16)
		cdb[0], cdb[at] = opcode, 0x04
		c := r.do(cdb, nil)
		if verdict(c) != "5/24/00" || binary.BigEndian.Uint16(c.Sense()[16:]) != uint16(at) {
			t.Errorf("%02x: %s, field %s", opcode, verdict(c), field(c))
		}
	}
}

func TestTaskManagementFunctionsAreReported(t *testing.T) {
	r := newRig(t, disk(512))
	const tmfs = "d8 00 00 00" // ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET
	if have := r.in(raw("a3 0d 00 00 00 00 00 00 00 ff 00 00")); !bytes.Equal(have, raw(tmfs)) {
		t.Errorf("% x", have)
	}
	if have := r.in(raw("a3 0d 80 00 00 00 00 00 00 ff 00 00")); !bytes.Equal(have, raw("d8 00 00 0c 00 00 00 00 00 00 00 00 00 00 00 00")) {
		t.Errorf("with REPD: % x", have)
	}
	r.want("5/24/00", raw("a3 0d 00 00 00 00 00 00 00 03 00 00"))
}

func TestStatusesHaveTheirNames(t *testing.T) {
	for status, name := range map[scsi.Status]string{0x00: "GOOD", 0x02: "CHECK CONDITION", 0x04: "CONDITION MET", 0x08: "BUSY",
		0x18: "RESERVATION CONFLICT", 0x28: "TASK SET FULL", 0x40: "TASK ABORTED", 0x99: "status 99h"} {
		if status.String() != name {
			t.Errorf("%02x is %q", byte(status), status)
		}
	}
}
