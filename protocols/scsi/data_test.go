package scsi_test

import (
	"context"
	"slices"
	"testing"

	"forebay/protocols/scsi"
)

type tokens []uint64

func (t *tokens) Release(token uint64) { *t = append(*t, token) }

func TestDataGivesEveryPinBackOnce(t *testing.T) {
	var d scsi.Data
	var back tokens
	d.Add([]byte("ab"), &back, 7)
	d.Add([]byte("c"), nil, 0)
	d.Add([]byte("def"), &back, 9)
	if d.Len() != 6 || len(d.Segments()) != 3 {
		t.Errorf("%d bytes in %d pieces", d.Len(), len(d.Segments()))
	}
	d.Release()
	d.Release()
	if !slices.Equal(back, []uint64{7, 9}) || d.Len() != 0 || len(d.Segments()) != 0 {
		t.Errorf("given back: %v; %d bytes left", back, d.Len())
	}
}

// failing appends to what it is given, and then has an error.
type failing struct {
	*pinned
	err error
}

func (f failing) ReadNow(*scsi.Data, int64, int) bool { return false }

func (f failing) Read(_ context.Context, d *scsi.Data, off int64, n int) error {
	f.pinned.ReadNow(d, off, n)
	return f.err
}

func TestCommandThatFailsKeepsNoPins(t *testing.T) {
	p := &pinned{content: make([]byte, 8*mib)}
	for err, how := range map[error]string{scsi.ErrNotReady: "2/04/01", scsi.ErrReservation: "RESERVATION CONFLICT", context.Canceled: "TASK ABORTED"} {
		r := newRigOver(t, disk(512), failing{p, err}, nil)
		for _, cdb := range [][]byte{access(0x28, 0, 0, 64), access(0x2f, 0, 0, 64)} {
			r.want(how, cdb)
			if p.out != 0 {
				t.Errorf("%x keeps %d pins after %v", cdb, p.out, err)
			}
		}
	}
}

func TestVerifyKeepsNoPins(t *testing.T) {
	p := &pinned{content: make([]byte, 8*mib)}
	r := newRigOver(t, disk(512), reading{p}, nil)
	r.want("GOOD", access(0x8f, 0, 0, 16384))
	r.wantOut("e/1d/00", access(0x2f, 0x02, 0, 64), pattern(64*512, 1))
	if p.out != 0 {
		t.Errorf("%d pins kept", p.out)
	}
}

// reading answers reads that wait from what is pinned.
type reading struct{ *pinned }

func (s reading) Read(_ context.Context, d *scsi.Data, off int64, n int) error {
	s.ReadNow(d, off, n)
	return nil
}

func TestResetEmptiesACommand(t *testing.T) {
	p := &pinned{content: make([]byte, 8*mib)}
	r := newRigOver(t, disk(512), p, nil)
	c := r.want("GOOD", access(0x28, 0, 0, 64))
	c.Reset()
	if p.out != 0 || c.Data.Len() != 0 || c.Want != 0 || c.Nexus != nil || c.DataOut != nil || c.Room != 0 {
		t.Errorf("%d pins kept; %+v", p.out, c)
	}
	c = r.want("5/20/00", raw("ff"))
	c.Reset()
	if len(c.Sense()) != 0 || c.Status != scsi.StatusGood {
		t.Errorf("%v with sense data % x", c.Status, c.Sense())
	}
}
