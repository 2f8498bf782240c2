package scsi_test

import (
	"bytes"
	"fmt"
	"testing"

	"forebay/protocols/scsi"
)

// The opcodes of READ and WRITE by the length of their CDBs, in which order other tables have them too.
var (
	readOpcodes  = []byte{0x08, 0x28, 0xa8, 0x88}
	writeOpcodes = []byte{0x0a, 0x2a, 0xaa, 0x8a}
)

const (
	fua = 0x08
	dpo = 0x10
)

func TestReadsReturnWhatIsThere(t *testing.T) {
	for _, cold := range []bool{false, true} {
		t.Run(fmt.Sprintf("cold %v", cold), func(t *testing.T) {
			eachBlockSize(t, func(t *testing.T, r *rig) {
				r.mem.Cold = cold
				content := r.fill()
				last := r.g.Blocks - 1
				for _, opcode := range readOpcodes {
					for _, at := range []struct {
						lba    uint64
						blocks uint32
					}{{0, 1}, {1, 3}, {last, 1}, {last - 15, 16}, {7, 255}} {
						c := r.want("GOOD", access(opcode, 0, at.lba, at.blocks))
						from, n := int(at.lba)*r.size, int(at.blocks)*r.size
						if !bytes.Equal(bytesOf(c), content[from:from+n]) || c.Want != n {
							t.Errorf("%02x of %d from %d: wrong data, or %d asked", opcode, at.blocks, at.lba, c.Want)
						}
					}
				}
			})
		})
	}
}

func TestReadIsExecutedInlineIfItHits(t *testing.T) {
	r := newRig(t, disk(512))
	for _, opcode := range readOpcodes {
		c := r.command(access(opcode, 0, 8, 8), nil)
		if !r.Inline(c) || verdict(c) != "GOOD" || c.Data.Len() != 8*512 || c.Want != 8*512 {
			t.Errorf("%02x: %s with %d bytes", opcode, verdict(c), c.Data.Len())
		}
	}
}

// What Inline leaves to Execute it has not touched, whatever the reason.
func TestReadThatIsNotInlineIsUnchanged(t *testing.T) {
	r := newRig(t, disk(512))
	leaves := func(why string, cdb []byte, change func(c *scsi.Command)) {
		t.Helper()
		c := r.command(cdb, nil)
		c.Want, c.Status = -1, scsi.StatusBusy
		if change != nil {
			change(c)
		}
		if r.Inline(c) || c.Want != -1 || c.Status != scsi.StatusBusy || c.Data.Len() != 0 || len(c.Sense()) != 0 {
			t.Errorf("%s: inline, or %v with %d bytes of %d", why, c.Status, c.Data.Len(), c.Want)
		}
	}
	leaves("FUA", access(0x28, fua, 0, 1), nil)
	leaves("RDPROTECT", access(0x28, 0x20, 0, 1), nil)
	leaves("beyond the end", access(0x28, 0, r.g.Blocks, 1), nil)
	leaves("nothing", access(0x28, 0, 0, 0), nil)
	leaves("too long", access(0x88, 0, 0, scsi.MaxTransfer/512+1), nil)
	leaves("too little room", access(0x28, 0, 0, 2), func(c *scsi.Command) { c.Room = 1023 })
	leaves("NACA", access(0x28, 0, 0, 1), func(c *scsi.Command) { c.CDB[9] = 0x04 })
	leaves("new nexus", access(0x28, 0, 0, 1), func(c *scsi.Command) { c.Nexus = nexus("iqn.2026-11.example:b,i,0x1") })
	r.mem.Cold = true
	leaves("a miss", access(0x28, 0, 0, 1), nil)
	r.mem.Cold = false
	r.SetReady(false)
	leaves("not ready", access(0x28, 0, 0, 1), nil)
	r.SetReady(true)
	r.want("GOOD", raw("1b 00 00 00 00 00"))
	leaves("stopped", access(0x28, 0, 0, 1), nil)
	r.want("GOOD", raw("1b 00 00 00 01 00"))
	r.Event(scsi.EventUnitReset, nil)
	leaves("attention", access(0x28, 0, 0, 1), nil)
}

func TestReadWithFUAFlushesFirst(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, opcode := range readOpcodes[1:] {
		r.want("GOOD", access(opcode, fua, 8, 2))
		r.asked(l, "flush", "read 8+2")
		r.want("GOOD", access(opcode, dpo, 8, 2))
		r.asked(l, "read 8+2")
	}
}

// Byte 1 of the 6-byte form has the address where the others have their flags.
func TestReadOfSixBytesHasNoFlags(t *testing.T) {
	g := disk(512)
	g.Blocks = 1 << 20
	r, l := newLedgerRig(t, g)
	r.want("GOOD", access(0x08, 0, 0x0fffff, 1))
	r.asked(l, "read 1048575+1")
	if c := r.want("5/21/00", access(0x08, 0, 0x1fffff, 1)); information(c) != 0x1fffff {
		t.Errorf("information %x", information(c))
	}
}

func TestReadFetchesNoMoreThanThereIsRoomFor(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for room, fetched := range map[int]string{0: "", 1: "read 0+1", 512: "read 0+1", 513: "read 0+2", 4096: "read 0+8", 1 << 32: "read 0+8"} {
		c := r.command(access(0x28, 0, 0, 8), nil)
		c.Room = room
		execute(r.Unit, c)
		if verdict(c) != "GOOD" || c.Want != 4096 {
			t.Errorf("room for %d: %s, %d bytes asked", room, verdict(c), c.Want)
		}
		if fetched == "" {
			r.asked(l)
		} else {
			r.asked(l, fetched)
		}
	}
}
