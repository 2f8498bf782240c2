package flash

import (
	"testing"

	"forebay/cachecore"
)

// others caches lines of another object until a region has been reclaimed.
func (r *rig) others() {
	r.Helper()
	r.s.fill.mu.Lock()
	oldest := r.s.fill.stored[0]
	was := r.s.region(oldest).seq
	r.s.fill.mu.Unlock()
	for line := 0; ; line++ {
		r.bring(keyOf(9), blockOf(line), lineBlocks)
		r.quiet()
		f := &r.s.fill
		f.mu.Lock()
		gone := f.stored[0] != oldest || r.s.region(oldest).seq != was
		f.mu.Unlock()
		if gone {
			return
		}
		if line > 100 {
			r.Fatal("nothing is reclaimed")
		}
	}
}

// What was written to isn't written again, and the rest of its line is, each block as itself.
func TestOnlyWhatIsValidIsWrittenAgain(t *testing.T) {
	r := rigFor(t, 6, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	r.spill()
	r.write(k, 1, 2)
	r.write(k, 6, 1)
	r.check(k, 0, lineBlocks)
	r.others()
	if n := r.check(k, 0, lineBlocks); n != 5 {
		t.Errorf("%d of 5 blocks are found", n)
	}
	if st := r.s.Stats(); st.Reinserted != 5 || st.Mismatches != 0 {
		t.Errorf("%d blocks are written again, %d are not what was written", st.Reinserted, st.Mismatches)
	}
	r.close()
	r.open()
	if n := r.check(k, 0, lineBlocks); n != 5 {
		t.Errorf("%d of 5 blocks are found after a restart", n)
	}
}

// A line of which a block has rotted is told of, and not written again.
func TestWhatHasRottedIsNotWrittenAgain(t *testing.T) {
	r := rigFor(t, 6, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	r.spill()
	r.check(k, 0, lineBlocks)
	r.twin.Flip(offset(r.s.layout.block(0, 3)), 1)
	r.others()
	if st := r.s.Stats(); st.Reinserted != 0 || st.Mismatches != 1 {
		t.Errorf("%d blocks are written again, %d are told of", st.Reinserted, st.Mismatches)
	}
	if n := r.check(k, 0, lineBlocks); n != 0 {
		t.Errorf("%d blocks are found", n)
	}
}

// Where not all is written again that was read, what was read more often is.
func TestTheHottestIsWrittenAgain(t *testing.T) {
	r := rigFor(t, 6, Options{})
	k, often := keyOf(1), blockOf(1)
	r.cache(k, 0, 6)
	r.cache(k, often, 6) // in the same region
	r.spill()
	for first, times := range map[cachecore.Block]int{0: 1, often: 3} {
		for range times {
			r.check(k, first, 6)
		}
	}
	r.others()
	if a, b := r.check(k, 0, 6), r.check(k, often, 6); a != 0 || b != 6 {
		t.Errorf("%d blocks that were read once are found, and %d of 6 that were read three times", a, b)
	}
}
