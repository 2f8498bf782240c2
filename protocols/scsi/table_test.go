package scsi

import (
	"testing"

	"github.com/rs/zerolog"
)

func TestEveryOperationIsComplete(t *testing.T) {
	lengths := [8]int{6, 10, 10, 0, 16, 12, 0, 0} // of CDBs by group code (SPC-5 4.2.5.1)
	names := make(map[string]bool)
	for opcode, list := range newOperations() {
		for i, o := range list {
			if o.run == nil || o.name == "" || names[o.name] {
				t.Errorf("%02x %q: no handler, no name, or a name twice", opcode, o.name)
			}
			names[o.name] = true
			if int(o.opcode()) != opcode || len(o.usage) != lengths[opcode>>5] {
				t.Errorf("%s: %d bytes of usage data that begin with %02x", o.name, len(o.usage), o.usage[0])
			}
			if o.usage[o.controlByte()] != 0 {
				t.Errorf("%s: the control byte claims to be used", o.name)
			}
			if o.action == none && len(list) > 1 || o.action != none && int(o.usage[1]&0x1f) != o.action {
				t.Errorf("%s: service action %d beside others, or not in its usage data", o.name, o.action)
			}
			for _, other := range list[:i] {
				if other.action == o.action {
					t.Errorf("%s and %s are the same", o.name, other.name)
				}
			}
		}
	}
	if len(names) < 33 {
		t.Errorf("%d operations", len(names))
	}
}

func TestWhatMayWaitIsNotInline(t *testing.T) {
	for _, list := range newOperations() {
		for _, o := range list {
			if o.flags&(reads|writes) != 0 && (o.flags&quick != 0 || o.flags&medium == 0) {
				t.Errorf("%s moves data, and is quick or needs no ready unit", o.name)
			}
			if o.flags&reads != 0 && o.flags&writes != 0 {
				t.Errorf("%s reads and writes", o.name)
			}
		}
	}
}

// What gotgt is to answer it must know itself.
func TestBaseServerKnowsItsOperations(t *testing.T) {
	b := NewUnit(UnitOptions{Logger: zerolog.Nop()}).base
	for _, opcode := range []byte{0x00, 0x12, 0x1d, 0x25} {
		if b.ops.SCSIDeviceOps[opcode].CommandPerformFunc == nil {
			t.Errorf("%02x has no function", opcode)
		}
	}
}
