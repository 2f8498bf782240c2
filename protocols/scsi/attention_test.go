package scsi_test

import (
	"sync"
	"testing"

	"forebay/protocols/scsi"
)

func TestEveryNexusLearnsOfThePowerOnOnce(t *testing.T) {
	r := newRig(t, disk(512))
	r.want("GOOD", testUnitReady)
	for _, first := range [][]byte{testUnitReady, access(0x28, 0, 0, 1), access(0x2a, 0, 0, 1), modeSense6(0, 0x3f, 0, 255), readCapacity10,
		reportOperations(0, 0, 0), startStop(0)} {
		other := *r
		other.nexus = nexus("iqn.2026-11.example:b,i,0x1")
		other.want("6/29/00", first)
		other.want("GOOD", testUnitReady)
	}
}

func TestAttentionComesBeforeTheCommandIsLookedAt(t *testing.T) {
	r := newRig(t, disk(512))
	for _, cdb := range [][]byte{access(0x28, 0, r.g.Blocks, 1), access(0x28, 0xe0, 0, 1), {0x00, 0, 0, 0, 0, 0x04}, modeSense6(0, 0x01, 0, 255)} {
		r.Event(scsi.EventUnitReset, nil)
		r.want("6/29/03", cdb)
	}
	r.SetReady(false)
	r.Event(scsi.EventUnitReset, nil)
	r.want("6/29/03", testUnitReady)
	r.want("2/04/01", testUnitReady)
}

func TestNexusThatIsLostStartsAnew(t *testing.T) {
	r := newRig(t, disk(512))
	r.Event(scsi.EventUnitReset, nil)
	r.Event(scsi.EventNexusLoss, r.nexus)
	r.want("6/29/00", testUnitReady)
	r.want("GOOD", testUnitReady)
}

func TestAttentionsQueueInOrderEachOnce(t *testing.T) {
	r := newRig(t, disk(512))
	r.Event(scsi.EventUnitReset, nil)
	g := r.g
	g.Blocks--
	r.SetGeometry(g)
	r.Event(scsi.EventUnitReset, r.nexus)
	r.Event(scsi.EventTasksCleared, nil)
	r.want("6/29/03", testUnitReady)
	r.want("6/2a/09", testUnitReady)
	r.want("6/2f/00", testUnitReady)
	r.want("GOOD", testUnitReady)
}

func TestResetIsToldToAll(t *testing.T) {
	a := newRig(t, disk(512))
	b := a.as("iqn.2026-11.example:b,i,0x1")
	a.Event(scsi.EventUnitReset, a.nexus)
	a.want("6/29/03", testUnitReady)
	b.want("6/29/03", testUnitReady)
}

func TestClearedTasksAreToldToTheOthers(t *testing.T) {
	a := newRig(t, disk(512))
	b := a.as("iqn.2026-11.example:b,i,0x1")
	a.Event(scsi.EventTasksCleared, a.nexus)
	a.want("GOOD", testUnitReady)
	b.want("6/2f/00", testUnitReady)
}

// What changed is told where initiators have read it: READ CAPACITY, mode pages, INQUIRY pages.
func TestChangesOfTheGeometryAreTold(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(g *scsi.Geometry)
		want   []string
	}{
		{"nothing", func(*scsi.Geometry) {}, nil},
		{"grown", func(g *scsi.Geometry) { g.Blocks *= 2 }, []string{"6/2a/09"}},
		{"shrunk", func(g *scsi.Geometry) { g.Blocks /= 2 }, []string{"6/2a/09"}},
		{"block length", func(g *scsi.Geometry) { g.BlockSize, g.Blocks = 4096, g.Blocks/8 }, []string{"6/2a/09", "6/3f/03"}},
		{"physical block", func(g *scsi.Geometry) { g.PhysicalBlock = 512 }, []string{"6/2a/09", "6/3f/03"}},
		{"thick", func(g *scsi.Geometry) { g.Thin = false }, []string{"6/2a/09", "6/3f/03"}},
		{"unmapped is undefined", func(g *scsi.Geometry) { g.ZeroesOnUnmap = false }, []string{"6/2a/09", "6/3f/03"}},
		{"grain", func(g *scsi.Geometry) { g.UnmapGrain = 8 }, []string{"6/3f/03"}},
		{"read only", func(g *scsi.Geometry) { g.ReadOnly = true }, []string{"6/2a/01"}},
		{"write cache", func(g *scsi.Geometry) { g.WriteCache = true }, []string{"6/2a/01", "6/3f/03"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, disk(512))
			g := r.g
			tc.change(&g)
			r.SetGeometry(g)
			for _, how := range tc.want {
				r.want(how, testUnitReady)
			}
			r.want("GOOD", testUnitReady)
		})
	}
}

// Before a unit's first geometry INQUIRY is answered, with what is not so; READ CAPACITY isn't.
func TestFirstGeometryChangesOnlyWhatCouldBeRead(t *testing.T) {
	r := &rig{Unit: scsi.NewUnit(scsi.UnitOptions{Identity: identity}), t: t, nexus: nexus("iqn.2026-11.example:a,i,0x1")}
	r.want("6/29/00", testUnitReady)
	r.SetGeometry(disk(512))
	r.SetReady(true)
	r.want("6/3f/03", testUnitReady)
	r.want("GOOD", testUnitReady)
}

func TestAttentionsAreSafeForConcurrentUse(t *testing.T) {
	r := newRig(t, disk(512))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			n := nexus("iqn.2026-11.example:b,i,0x1")
			for range 200 {
				c := &scsi.Command{Nexus: n, Room: mib}
				copy(c.CDB[:], access(0x28, 0, uint64(i), 1))
				execute(r.Unit, c)
				r.Event(scsi.EventUnitReset, n)
				r.WritesLost()
				c.Reset()
				r.Event(scsi.EventNexusLoss, n)
			}
		})
	}
	all.Wait()
	r.want("6/29/03", testUnitReady)
}
