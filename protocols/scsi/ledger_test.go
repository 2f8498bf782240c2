package scsi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// ledger is a store that writes down what it is asked, in blocks: "write 8+1 fua". It is asked by one command at a time.
type ledger struct {
	*scsitest.Mem // nil: there is nothing behind it, and what is read is empty
	block         int64
	calls         []string
	fail          map[string]error // by the first word of a call
}

// newLedgerRig is a rig whose store keeps a ledger, and has nothing at hand. A large disk has nothing behind it.
func newLedgerRig(t testing.TB, g scsi.Geometry) (*rig, *ledger) {
	t.Helper()
	l := &ledger{block: int64(g.BlockSize)}
	if size := int64(g.Blocks) * l.block; size <= 16*mib {
		l.Mem = scsitest.NewMem(size)
	}
	return newRigOver(t, g, l, l.Mem), l
}

func (l *ledger) ReadNow(*scsi.Data, int64, int) bool { return false }

func (l *ledger) note(call string, off, n int64, how string) error {
	l.calls = append(l.calls, strings.TrimSpace(fmt.Sprintf("%s %d+%d %s", call, off/l.block, n/l.block, how)))
	if off%l.block != 0 || n%l.block != 0 {
		l.calls = append(l.calls, "unaligned")
	}
	return l.fail[call]
}

// asked empties the ledger and compares what it held.
func (r *rig) asked(l *ledger, want ...string) {
	r.t.Helper()
	if !slices.Equal(l.calls, want) {
		r.t.Errorf("the store was asked %q, want %q", l.calls, want)
	}
	l.calls = nil
}

func (l *ledger) Read(ctx context.Context, d *scsi.Data, off int64, n int) error {
	if err := l.note("read", off, int64(n), ""); err != nil || l.Mem == nil {
		return err
	}
	return l.Mem.Read(ctx, d, off, n)
}

func (l *ledger) Write(ctx context.Context, p []byte, off int64, fua bool) error {
	how := ""
	if fua {
		how = "fua"
	}
	if err := l.note("write", off, int64(len(p)), how); err != nil || l.Mem == nil {
		return err
	}
	return l.Mem.Write(ctx, p, off, fua)
}

func (l *ledger) Flush(context.Context) error {
	l.calls = append(l.calls, "flush")
	return l.fail["flush"]
}

func (l *ledger) Discard(ctx context.Context, off, n int64, mode scsi.DiscardMode) error {
	how := map[scsi.DiscardMode]string{scsi.Unmap: "unmap", scsi.UnmapZero: "unmap to zero", scsi.Zero: "zero"}[mode]
	if err := l.note("discard", off, n, how); err != nil || l.Mem == nil {
		return err
	}
	return l.Mem.Discard(ctx, off, n, mode)
}
