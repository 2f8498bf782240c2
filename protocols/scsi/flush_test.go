package scsi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

const immediate = 0x02

func TestSynchronizeCacheFlushesWhateverTheRange(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	for _, opcode := range []byte{0x35, 0x91} {
		for _, flags := range []byte{0, immediate} {
			for _, blocks := range []uint32{0, 1, 16384} {
				r.want("GOOD", access(opcode, flags, 0, blocks))
				r.asked(l, "flush")
			}
		}
		r.want("GOOD", access(opcode, 0, r.g.Blocks, 0))
		r.asked(l, "flush")
		r.want("5/21/00", access(opcode, 0, r.g.Blocks, 1))
		r.asked(l)
	}
}

func TestFailedFlushIsTold(t *testing.T) {
	for _, cdb := range [][]byte{access(0x35, 0, 0, 0), access(0x91, immediate, 0, 0), access(0x28, fua, 0, 1), raw("1b 00 00 00 00 00")} {
		r, l := newLedgerRig(t, disk(512))
		l.fail = map[string]error{"flush": errors.New("torn")}
		r.want("3/0c/00", cdb)
		r.asked(l, "flush")
		r.want("GOOD", testUnitReady) // a unit that could not flush has not stopped
	}
}

var synchronize = access(0x35, 0, 0, 0)

func (r *rig) as(initiator string) *rig {
	other := *r
	other.nexus = nexus(initiator)
	other.want("6/29/00", testUnitReady)
	return &other
}

func TestE1EveryInitiatorLearnsOnceThatWritesWereLost(t *testing.T) {
	a := newRig(t, disk(512))
	b := a.as("iqn.2026-11.example:b,i,0x1")
	a.WritesLost()
	a.want("GOOD", testUnitReady)
	a.want("GOOD", access(0x28, 0, 0, 1))
	a.want("3/0c/00", synchronize)
	a.want("GOOD", synchronize)
	b.want("3/0c/00", access(0x28, fua, 0, 1))
	b.want("GOOD", synchronize)
	later := a.as("iqn.2026-11.example:c,i,0x1") // it had nothing to lose
	later.want("GOOD", synchronize)
}

func TestE1FlushThatFailsAnywayStillOwesTheLoss(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.WritesLost()
	l.fail = map[string]error{"flush": fmt.Errorf("away: %w", scsi.ErrNotReady)}
	r.want("2/04/01", synchronize)
	l.fail = nil
	r.want("3/0c/00", synchronize)
	r.want("GOOD", synchronize)
}

// flushing is a store whose Flush takes its time: what comes meanwhile is done by it.
type flushing struct {
	scsi.Store
	meanwhile func()
}

func (f flushing) Flush(context.Context) error {
	f.meanwhile()
	return nil
}

func TestE1AFlushThatIsGivenUpStillOwesTheLoss(t *testing.T) {
	meanwhile := func() {}
	mem := scsitest.NewMem(8 * mib)
	r := newRigOver(t, disk(512), flushing{mem, func() { meanwhile() }}, mem)
	r.WritesLost()
	ctx, abort := context.WithCancel(t.Context())
	meanwhile = abort // a flush that is under way at the array ends as it does
	r.Execute(ctx, r.command(synchronize, nil))
	r.want("3/0c/00", synchronize)
	r.want("GOOD", synchronize)
}

// A session that ends takes nothing of what its initiator is owed with it.
func TestE1InitiatorThatComesBackLearnsThatWritesWereLost(t *testing.T) {
	const name = "iqn.2026-11.example:b,i,0x1"
	for when, lose := range map[string]func(a, b *rig){
		"before its session ended": func(a, b *rig) { a.WritesLost(); a.Event(scsi.EventNexusLoss, b.nexus) },
		"while it was away":        func(a, b *rig) { a.Event(scsi.EventNexusLoss, b.nexus); a.WritesLost() },
		"before another session of its name": func(a, b *rig) {
			again := a.as(name)
			a.WritesLost()
			again.want("3/0c/00", synchronize)
			a.Event(scsi.EventNexusLoss, b.nexus)
			a.Event(scsi.EventNexusLoss, again.nexus)
		},
		"two sessions ago": func(a, b *rig) {
			a.WritesLost()
			a.Event(scsi.EventNexusLoss, b.nexus)
			again := a.as(name)
			a.Event(scsi.EventNexusLoss, again.nexus)
		},
	} {
		t.Run(when, func(t *testing.T) {
			a := newRig(t, disk(512))
			b := a.as(name)
			lose(a, b)
			again := a.as(name)
			again.t = t
			again.want("3/0c/00", synchronize)
			again.want("GOOD", synchronize)
			a.Event(scsi.EventNexusLoss, again.nexus)
			a.as(name).want("GOOD", synchronize)
		})
	}
}

func TestUnitRemembersABoundedNumberOfInitiators(t *testing.T) {
	r := newRig(t, disk(512))
	for i := range 5000 {
		o := r.as(fmt.Sprintf("iqn.2026-11.example:x,i,0x%x", i))
		r.Event(scsi.EventNexusLoss, o.nexus)
	}
	r.WritesLost()
	r.as("iqn.2026-11.example:x,i,0x0").want("3/0c/00", synchronize)
	r.as("iqn.2026-11.example:x,i,0x1387").want("GOOD", synchronize) // beyond the bound
}
