package scsi_test

import (
	"testing"

	"forebay/protocols/scsi"
)

func startStop(flags byte) []byte { return []byte{0x1b, 0, 0, 0, flags, 0} }

const (
	startBit = 0x01
	ejectBit = 0x02
	noFlush  = 0x04
)

func TestStoppedUnitTouchesNoMedium(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.want("GOOD", startStop(0))
	r.asked(l, "flush")
	for _, cdb := range [][]byte{testUnitReady, readCapacity10, readCapacity16(32), access(0x28, 0, 0, 1), access(0x2a, 0, 0, 0), access(0x35, 0, 0, 0),
		access(0x2f, 0, 0, 1), access(0x93, 0, 0, 1), unmap(0, nil)} {
		r.want("2/04/02", cdb)
	}
	r.asked(l)
	for _, cdb := range [][]byte{inquiry(0, 0, 36), modeSense6(0, 0x3f, 0, 255), reportLUNs(0, 64), reportOperations(0, 0, 0)} {
		r.want("GOOD", cdb)
	}
	if p := r.in(raw("03 00 00 00 12 00")); p[2] != 0x02 || p[12] != 0x04 || p[13] != 0x02 {
		t.Errorf("REQUEST SENSE: % x", p)
	}
	r.want("GOOD", startStop(startBit))
	r.want("GOOD", access(0x28, 0, 0, 1))
}

func TestStopWithoutFlush(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.want("GOOD", startStop(noFlush))
	r.asked(l)
	r.want("2/04/02", testUnitReady)
}

func TestStopWhileTheArrayIsAwayFlushesNothing(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.SetReady(false)
	r.want("GOOD", startStop(0))
	r.asked(l)
}

func TestResetStartsAStoppedUnit(t *testing.T) {
	r := newRig(t, disk(512))
	r.want("GOOD", startStop(0))
	r.Event(scsi.EventUnitReset, nil)
	r.want("6/29/03", testUnitReady)
	r.want("GOOD", testUnitReady)
}

func TestPowerConditionsChangeNothing(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for condition := byte(1); condition <= 0x0f; condition++ {
		r.want("GOOD", startStop(condition<<4))
	}
	r.asked(l)
	r.want("GOOD", testUnitReady)
}

func TestThereIsNothingToEject(t *testing.T) {
	r := newRig(t, disk(512))
	for _, flags := range []byte{ejectBit, ejectBit | startBit} {
		if c := r.want("5/24/00", startStop(flags)); field(c) != "cdb 4" {
			t.Errorf("field %s", field(c))
		}
	}
	r.want("GOOD", testUnitReady)
}
