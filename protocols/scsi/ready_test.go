package scsi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/protocols/scsi"
)

func TestUnitIsNotReadyWhileItsArrayIsAway(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.SetReady(false)
	for _, opcode := range []byte{0x08, 0x28, 0xa8, 0x88, 0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e, 0x2f, 0xaf, 0x8f, 0x41, 0x93, 0x35, 0x91} {
		r.wantOut("2/04/01", access(opcode, 0, 0, 1), make([]byte, 512))
	}
	for _, cdb := range [][]byte{testUnitReady, readCapacity10, readCapacity16(32), unmap(0, nil)} {
		r.want("2/04/01", cdb)
	}
	r.asked(l)
	for _, cdb := range [][]byte{inquiry(0, 0, 36), inquiry(1, 0x83, 255), modeSense6(0, 0x3f, 0, 255), reportLUNs(0, 64), reportOperations(0, 0, 0),
		raw("1d 04 00 00 00 00"), raw("03 00 00 00 12 00")} {
		r.want("GOOD", cdb)
	}
	r.SetReady(true)
	r.want("GOOD", testUnitReady)
	r.want("GOOD", access(0x28, 0, 0, 1))
}

func TestNewUnitIsNotReady(t *testing.T) {
	r := &rig{Unit: scsi.NewUnit(scsi.UnitOptions{Identity: identity}), t: t, nexus: nexus("iqn.2026-11.example:a,i,0x1")}
	r.want("6/29/00", testUnitReady)
	r.want("2/04/01", testUnitReady)
	r.want("2/04/01", access(0x28, 0, 0, 1))
	r.SetReady(true) // but there is no geometry yet
	r.want("2/04/01", access(0x28, 0, 0, 1))
}

// What a store's errors mean to an initiator. What it doesn't name is a medium error of the command's direction.
func TestErrorsOfTheStoreBecomeSenseData(t *testing.T) {
	const read, write = "3/11/00", "3/0c/00"
	zeros, ones := make([]byte, 512), pattern(512, 1)
	list := unmapList(run{0, 8})
	for _, cmd := range []struct {
		name, call string
		cdb, out   []byte
		otherwise  string
	}{
		{"READ", "read", access(0x28, 0, 0, 1), nil, read},
		{"READ with FUA", "flush", access(0x28, fua, 0, 1), nil, write},
		{"VERIFY", "read", access(0x2f, 0, 0, 1), nil, read},
		{"WRITE", "write", access(0x2a, 0, 0, 1), ones, write},
		{"WRITE AND VERIFY", "write", access(0x2e, 0, 0, 1), ones, write},
		{"the verification", "read", access(0x2e, bytchkAll, 0, 1), ones, read},
		{"WRITE SAME", "write", access(0x93, 0, 0, 1), ones, write},
		{"WRITE SAME of zeros", "discard", access(0x93, 0, 0, 1), zeros, write},
		{"UNMAP", "discard", unmap(0, list), list, write},
		{"SYNCHRONIZE CACHE", "flush", synchronize, nil, write},
	} {
		for err, how := range map[error]string{
			scsi.ErrNotReady:         "2/04/01",
			scsi.ErrNoSpace:          "7/27/07",
			scsi.ErrWriteProtected:   "7/27/00",
			scsi.ErrReservation:      "RESERVATION CONFLICT",
			context.Canceled:         "TASK ABORTED",
			context.DeadlineExceeded: "TASK ABORTED",
			errors.New("bad sector"): cmd.otherwise,
		} {
			t.Run(fmt.Sprintf("%s, %v", cmd.name, err), func(t *testing.T) {
				r, l := newLedgerRig(t, disk(512))
				l.fail = map[string]error{cmd.call: fmt.Errorf("array: %w", err)}
				r.wantOut(how, cmd.cdb, cmd.out)
			})
		}
	}
}

func TestCancelledCommandEndsWithoutTheStore(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.fill()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, cdb := range [][]byte{access(0x28, 0, 0, 1), access(0x2a, 0, 0, 1), access(0x2f, 0, 0, 16384), access(0x93, 0, 0, 16384)} {
		c := r.command(cdb, pattern(512, 1))
		r.Execute(ctx, c)
		r.sound(c)
		if c.Status != scsi.StatusTaskAborted {
			t.Errorf("%x: %s", cdb, verdict(c))
		}
	}
	if len(l.calls) > 3 {
		t.Errorf("%q", l.calls)
	}
}

// A long command notices between its chunks that it was aborted.
func TestWriteSameIsCancelledBetweenChunks(t *testing.T) {
	r := newRig(t, disk(4096))
	ctx, cancel := context.WithCancel(context.Background())
	chunks := 0
	r.mem.Hold = func(context.Context, string, int64, int64) error {
		chunks++
		cancel()
		return nil
	}
	c := r.command(access(0x93, 0, 0, 1024), pattern(4096, 1))
	r.Execute(ctx, c)
	if c.Status != scsi.StatusTaskAborted || chunks != 1 {
		t.Errorf("%s after %d chunks", verdict(c), chunks)
	}
}

// A portal that doesn't answer has a dial or a login end by its deadline: net's timeouts are context.DeadlineExceeded too.
func TestAnArrayThatIsAwayByADeadlineIsNotReadyRatherThanATaskAborted(t *testing.T) {
	for err, how := range map[error]string{
		scsi.ErrNotReady: "2/04/01", scsi.ErrNoSpace: "7/27/07", scsi.ErrWriteProtected: "7/27/00", scsi.ErrReservation: "RESERVATION CONFLICT",
	} {
		r, l := newLedgerRig(t, disk(512))
		l.fail = map[string]error{"read": fmt.Errorf("%w: array: %w", err, context.DeadlineExceeded)}
		r.want(how, access(0x28, 0, 0, 1))
	}
}
