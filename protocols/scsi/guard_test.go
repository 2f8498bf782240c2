package scsi_test

import (
	"context"
	"testing"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// guard is a store that checks what a device server promises to its store: ranges of whole blocks within the capacity, of at least
// one; no change of a unit that is read-only; nothing at all of one that is not ready.
type guard struct {
	*scsitest.Mem
	t     testing.TB
	g     scsi.Geometry
	ready bool
}

func (s *guard) check(call string, off, n, most int64) {
	s.t.Helper()
	size := int64(s.g.BlockSize)
	end := int64(s.g.Blocks) * size
	if off < 0 || n <= 0 || off > end || n > end-off || off%size != 0 || n%size != 0 || n > most {
		s.t.Errorf("%s of %d bytes at %d, of a medium of %d", call, n, off, end)
	}
	if !s.ready || s.g.ReadOnly && call != "read" {
		s.t.Errorf("%s, but ready %v, read-only %v", call, s.ready, s.g.ReadOnly)
	}
}

func (s *guard) ReadNow(d *scsi.Data, off int64, n int) bool {
	s.check("read", off, int64(n), scsi.MaxTransfer)
	return s.Mem.ReadNow(d, off, n)
}

func (s *guard) Read(ctx context.Context, d *scsi.Data, off int64, n int) error {
	s.check("read", off, int64(n), scsi.MaxTransfer)
	return s.Mem.Read(ctx, d, off, n)
}

func (s *guard) Write(ctx context.Context, p []byte, off int64, fua bool) error {
	s.check("write", off, int64(len(p)), scsi.MaxTransfer)
	return s.Mem.Write(ctx, p, off, fua)
}

func (s *guard) Discard(ctx context.Context, off, n int64, mode scsi.DiscardMode) error {
	s.check("discard", off, n, int64(s.g.Blocks)*int64(s.g.BlockSize))
	return s.Mem.Discard(ctx, off, n, mode)
}

func (s *guard) Flush(ctx context.Context) error {
	if !s.ready {
		s.t.Error("flush of a unit that is not ready")
	}
	return s.Mem.Flush(ctx)
}
