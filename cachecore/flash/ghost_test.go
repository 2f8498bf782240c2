package flash

import "testing"

// What was wanted long ago, many other lines since, counts as never wanted.
func TestWhatWasWantedLongAgoIsForgotten(t *testing.T) {
	const lines = 1 << 12
	g := newGhost(lines)
	g.touch(0, 1)
	for n := uint32(1); g.now <= lines+lines/4; n++ { // none of them in its set
		if h := n << 20; within(h, len(g.entries)/ghostWays) != 0 {
			g.touch(h|n, 1)
		}
	}
	if e, known := g.entry(0); known {
		t.Errorf("%x is remembered", *e)
	}
	if got := g.touch(0, 1); got != 0 {
		t.Errorf("%x counts as wanted before", got)
	}
	if got := g.touch(0, 3); got != 1 {
		t.Errorf("%x counts as wanted before, and 1 was", got)
	}
}

// A set that is full gives up the line that was wanted the longest ago.
func TestTheOldestOfASetIsReplaced(t *testing.T) {
	g := newGhost(ghostWays * ghostAges) // 8 lines to a unit of time
	for n := range uint32(ghostWays) {
		g.touch(n, 1)
		for range g.tick {
			g.now++
		}
	}
	g.touch(100, 1)
	for n := range uint32(ghostWays) {
		if _, known := g.entry(n); known != (n != 0) {
			t.Errorf("line %d is remembered: %v", n, known)
		}
	}
}

// What was written to since it came in has to be wanted twice again.
func TestWhatHasComeInIsNotWantedBefore(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	r.write(k, 0, lineBlocks)
	if n := r.offer(k, 0, lineBlocks); n != 0 {
		t.Errorf("%d blocks are taken at first sight", n)
	}
	if n := r.offer(k, 0, lineBlocks); n != lineBlocks {
		t.Errorf("%d blocks are taken at second sight", n)
	}
}
