package scsi_test

import (
	"encoding/binary"
	"testing"

	"forebay/protocols/scsi"
)

// unmap is UNMAP of a list.
func unmap(flags byte, list []byte) []byte {
	return []byte{0x42, flags, 0, 0, 0, 0, 0, byte(len(list) >> 8), byte(len(list)), 0}
}

// run is one block descriptor.
type run struct {
	lba    uint64
	blocks uint32
}

func unmapList(runs ...run) []byte {
	be := binary.BigEndian
	p := make([]byte, 8, 8+16*len(runs))
	be.PutUint16(p, uint16(6+16*len(runs)))
	be.PutUint16(p[2:], uint16(16*len(runs)))
	for _, d := range runs {
		p = be.AppendUint64(p, d.lba)
		p = be.AppendUint32(p, d.blocks)
		p = append(p, 0, 0, 0, 0)
	}
	return p
}

func (r *rig) unmaps(how string, list []byte) *scsi.Command {
	r.t.Helper()
	return r.wantOut(how, unmap(0, list), list)
}

func TestUnmapGivesBackItsRuns(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.unmaps("GOOD", unmapList(run{0, 1}, run{r.g.Blocks - 8, 8}, run{100, 0}, run{200, 50}))
	r.asked(l, "discard 0+1 unmap", "discard 16376+8 unmap", "discard 200+50 unmap")
}

func TestUnmapTakesRunsThatOverlap(t *testing.T) {
	r, l := newLedgerRig(t, disk(4096))
	content := r.fill()
	r.unmaps("GOOD", unmapList(run{8, 8}, run{4, 8}, run{8, 8}, run{8, 8}))
	r.asked(l, "discard 8+8 unmap", "discard 4+8 unmap", "discard 8+8 unmap", "discard 8+8 unmap")
	clear(content[4*4096 : 16*4096])
	r.holds(content)
}

func TestUnmapOfNothingIsGood(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	r.unmaps("GOOD", nil)
	r.unmaps("GOOD", unmapList())
	r.unmaps("GOOD", unmapList(run{5, 0}))
	r.unmaps("GOOD", unmapList(run{r.g.Blocks, 0}))
	r.asked(l)
}

func TestUnmapIgnoresWhatIsCut(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	list := unmapList(run{8, 8}, run{16, 8})
	r.unmaps("GOOD", list[:8+31]) // half a descriptor at the end of the list
	r.asked(l, "discard 8+8 unmap")
	r.unmaps("GOOD", list[:8+15])
	r.asked(l)
	binary.BigEndian.PutUint16(list[2:], 20) // the list says that it ends sooner
	r.unmaps("GOOD", list)
	r.asked(l, "discard 8+8 unmap")
	binary.BigEndian.PutUint16(list[2:], 0xffff) // or later than it does
	r.unmaps("GOOD", list)
	r.asked(l, "discard 8+8 unmap", "discard 16+8 unmap")
	for n := 1; n < 8; n++ {
		r.unmaps("5/1a/00", list[:n])
	}
	r.wantOut("5/0e/03", unmap(0, list), list[:24])
	r.wantOut("5/0e/03", unmap(0, list), nil)
	r.asked(l)
}

func TestUnmapChecksAllRunsBeforeTheFirst(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	end := r.g.Blocks
	for _, bad := range []run{{end, 1}, {end - 1, 2}, {0, uint32(end) + 1}, {end + 1, 0}, {1 << 40, 1}, {^uint64(0), 1}, {^uint64(0), 0xffffffff}} {
		c := r.unmaps("5/21/00", unmapList(run{0, 1}, bad))
		want := int64(bad.lba)
		if bad.lba > 0xffffffff {
			want = -1
		}
		if information(c) != want {
			t.Errorf("%v: information %d", bad, information(c))
		}
	}
	r.asked(l)
}

func TestUnmapHasLimits(t *testing.T) {
	g := disk(512)
	g.Blocks = 1 << 22
	r, l := newLedgerRig(t, g)
	if c := r.unmaps("5/26/00", unmapList(run{0, 1 << 19}, run{0, 1 << 19}, run{0, 1})); field(c) != "list 40" {
		t.Errorf("too many blocks: field %s", field(c))
	}
	if c := r.unmaps("5/26/00", unmapList(make([]run, 257)...)); field(c) != "list 4104" {
		t.Errorf("too many descriptors: field %s", field(c))
	}
	r.unmaps("GOOD", unmapList(make([]run, 256)...))
	r.asked(l)
}

func TestUnmapTakesAsMuchAsItsLimits(t *testing.T) {
	g := disk(512)
	g.Blocks = 1 << 20
	r, l := newLedgerRig(t, g)
	r.unmaps("GOOD", unmapList(run{0, 1 << 20}))
	r.asked(l, "discard 0+1048576 unmap")
}

func TestUnmapRefusesAnchor(t *testing.T) {
	r, l := newLedgerRig(t, disk(512))
	list := unmapList(run{0, 1})
	if c := r.wantOut("5/24/00", unmap(0x01, list), list); field(c) != "cdb 1" {
		t.Errorf("field %s", field(c))
	}
	r.asked(l)
}
