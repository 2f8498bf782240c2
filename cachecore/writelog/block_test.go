package writelog

import (
	"errors"
	"testing"

	"forebay/cachecore/device"
)

// TestABlockIsValidWhereItBelongsOnly: not in another incarnation, session, segment or unit, nor with another byte.
func TestABlockIsValidWhereItBelongsOnly(t *testing.T) {
	block := device.Buffer(unit)
	block[77] = 1
	home := ID{1, 2, 3}
	newSealer(home, 7, 100).seal(block, 1000)
	if !newSealer(home, 7, 100).valid(block, 1000) {
		t.Fatal("a block is not valid where it was sealed")
	}
	for name, valid := range map[string]bool{
		"incarnation": newSealer(ID{1, 2, 4}, 7, 100).valid(block, 1000), "session": newSealer(home, 8, 100).valid(block, 1000),
		"lap": newSealer(home, 7, 116).valid(block, 1000), "unit": newSealer(home, 7, 100).valid(block, 1001),
	} {
		if valid {
			t.Errorf("a block is valid in another %s", name)
		}
	}
	for i := range block {
		block[i] ^= 0x10
		if newSealer(home, 7, 100).valid(block, 1000) {
			t.Errorf("a block is valid with another byte %d", i)
		}
		block[i] ^= 0x10
	}
}

// TestThereAlwaysIsAReserve holds the limits of all sorts of divisions together.
func TestThereAlwaysIsAReserve(t *testing.T) {
	for units := int64(minUnits); units <= maxUnits; units = units*5/4 + 1 {
		for segments := int64(minRing); segments < 4000; segments = segments*4/3 + 1 {
			g := geometry{segments: segments, units: units, end: segments*units + 2*frontUnits}
			if err := g.check(g.end * unit); err != nil {
				t.Fatalf("%+v: %v", g, err)
			}
			live, reserve := g.limit()
			if live < 2*g.maxData() || reserve < 2 || reserve >= segments || g.maxData() < unit || g.maxShards() < 30 ||
				g.maxFrame() > units || g.recordUnits()+g.tableUnits() > units {
				t.Errorf("%d segments of %d units: %d bytes, %d in reserve, records of %d bytes, %d shards", segments, units, live, reserve,
					g.maxData(), g.maxShards())
			}
			if share := float64(live) / float64(segments*units*unit); segments > 60 && units >= 1024 && share < 0.65 {
				t.Errorf("%d segments of %d units: a log of %.2f of its device", segments, units, share)
			}
		}
	}
}

// TestNoPlaceIsUsedAgainBeforeAFrameSaysSo: whoever opens the log after a power cut begins at the tail that the newest frame says. What limit reserves
// keeps the writer from getting there; here it has got there, and all that is in the way is dead, but no frame says so yet.
func TestNoPlaceIsUsedAgainBeforeAFrameSaysSo(t *testing.T) {
	d, err := device.NewMemory(device.Buffer((2*frontUnits + 8*minUnits) * unit))
	if err == nil {
		err = Format(d, FormatOptions{SegmentSize: minUnits * unit})
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.mu.head, l.mu.tail, l.w.at, l.w.entering = l.w.said+7, l.w.said+4, l.units, false
	if _, err := l.place(nil, true); !errors.Is(err, errNoRoom) || l.mu.head != l.w.said+7 {
		t.Errorf("segment %d is begun in the place of one that counts, as the last frame says: %v", l.mu.head, err)
	}
	l.w.said++
	if _, err := l.place(nil, true); err != nil || l.mu.head != l.w.said+7 {
		t.Errorf("segment %d is the newest, though a frame says that one may be begun: %v", l.mu.head, err)
	}
}
