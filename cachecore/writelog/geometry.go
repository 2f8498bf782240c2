package writelog

import (
	"fmt"

	"forebay/cachecore/device"
)

const (
	unit    = device.Unit
	payload = unit - 4 // of a block: the rest is its checksum

	frontUnits = 2 // superblocks before the segments, and as many at the end of the device
	minUnits   = 8
	maxUnits   = 64 << 20 / unit
	minRing    = 8

	gatherBytes = 1 << 20 // records that one frame gathers, about
	maxDataMost = 1 << 20
)

// geometry is how a device is divided: superblocks, a ring of segments of whole units, perhaps some units over, superblocks.
//
// A frame never crosses segments, so a segment may end unused; every segment begins with a table of the shards; and records that are
// alive in the oldest segment have to be copied to the newest before it can be used again. The limits here make sure that there always is
// room for that, see limit.
type geometry struct {
	segments int64 // in the ring
	units    int64 // of a segment
	end      int64 // units of the device when it was formatted; it may have grown since
}

// divide finds the geometry of a device. segment is in bytes; 0: what suits the size.
func divide(size, segment int64) (geometry, error) {
	end := size / unit
	units := end - 2*frontUnits
	if segment == 0 {
		segment = min(max(size/64, 32*unit), maxUnits*unit) / unit * unit
		for segment > minUnits*unit && units/(segment/unit) < 2*minRing {
			segment = segment / 2 / unit * unit
		}
	}
	g := geometry{units: segment / unit, end: end}
	if g.units > 0 {
		g.segments = units / g.units
	}
	if segment%unit != 0 {
		return g, fmt.Errorf("a segment of %d bytes is not whole units", segment)
	}
	return g, g.check(size)
}

// check is also for what a superblock says.
func (g geometry) check(size int64) error {
	switch {
	case g.units < minUnits || g.units > maxUnits:
		return fmt.Errorf("segments of %d units, want %d to %d", g.units, minUnits, maxUnits)
	case g.segments < minRing || g.segments > (1<<unitBits-frontUnits)/g.units: // a Position has each unit, and the ring begins behind some
		return fmt.Errorf("%d segments, want at least %d; a log has at most %d bytes", g.segments, minRing, int64(unit)<<unitBits)
	case g.end > size/unit:
		return fmt.Errorf("made for %d bytes of its medium, of which %d are used now: let it have as many as before", g.end*unit, size)
	case g.end < g.segments*g.units+2*frontUnits:
		return fmt.Errorf("%d segments of %d units on a device of %d units", g.segments, g.units, g.end)
	}
	return nil
}

// superblocks are the units of the four copies.
func (g geometry) superblocks() [4]int64 { return [4]int64{0, 1, g.end - 2, g.end - 1} }

// start is the first unit of a segment; segments are counted on and on, and take their turns in the ring.
func (g geometry) start(segment uint64) int64 { return frontUnits + g.index(segment)*g.units }

func (g geometry) index(segment uint64) int64 { return int64(segment % uint64(g.segments)) }

// lap is how often the ring had been used up before the segment, as far as a Position can tell.
func (g geometry) lap(segment uint64) uint64 { return segment / uint64(g.segments) & (1<<lapBits - 1) }

// recordUnits is room enough for the largest record in a frame of its own; tableUnits is what the table of shards may take.
func (g geometry) recordUnits() int64 { return max(2, min(g.units/16, maxDataMost/payload+2)) }
func (g geometry) tableUnits() int64  { return max(2, min(g.units/16, 512)) }

// maxData is the longest data of a record; the rest of its frame's room is for the header and two descriptors.
func (g geometry) maxData() int64 { return min(maxDataMost, g.recordUnits()*payload-2048) }

// maxShards is how many shards the table has room for.
func (g geometry) maxShards() int { return int((g.tableUnits()*payload - 2048) / maxDescriptor) }

// maxFrame bounds a frame, in units: a table and what is gathered.
func (g geometry) maxFrame() int64 {
	return min(g.units, g.tableUnits()+g.recordUnits()+gatherBytes/payload+1)
}

// limit says how many bytes of live records the log takes, and how many segments must stay free for records on the move.
//
// However records are packed, a segment that is written full has at least e units of them: it ends when the next record doesn't fit, and
// begins with a table. Copying a segment, at worst without a gap, thus takes u/e segments, u being its units; copying x*e units that lie in as few
// segments as they can, x*e/u of them, needs at most x*(1-e/u) segments more than it frees on the way. With two more for what is being written,
// that many have to be free when copying begins: reserve. And when all has been copied once, x segments are in use, and more
// than the reserve is free: x + reserve + 2 <= segments.
func (g geometry) limit() (liveBytes, reserve int64) {
	u := g.units
	e := u - g.tableUnits() - g.recordUnits()
	x := (g.segments - 5) * u / (2*u - e)
	return x * e * payload, 2 + (x*(u-e)+u-1)/u
}
