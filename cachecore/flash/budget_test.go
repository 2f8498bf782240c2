package flash

import (
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
)

// What is written again is written within the day's bytes too, whenever they are spent.
func TestWhatIsWrittenAgainIsWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again, k := uint64(0), keyOf(1)
		for blocks := uint64(24); blocks < 48; blocks++ { // of an hour
			r := newRig(t, minSlots, Options{BytesPerDay: int64(24 * blocks * blockSize)})
			for line := range 20 {
				r.cache(k, blockOf(line), 3)
				r.quiet()
				for hot := range line + 1 {
					r.check(k, blockOf(hot), 3)
				}
			}
			st := r.s.Stats()
			if again += st.Reinserted; st.Admitted > blocks || st.RefusedBudget == 0 {
				t.Errorf("%d of %d blocks are written, %d of them again; %d refused", st.Admitted, blocks, st.Reinserted, st.RefusedBudget)
			}
			r.close()
		}
		if again == 0 {
			t.Error("nothing was written again")
		}
	})
}

func TestABudgetIsNeverLessThanARegion(t *testing.T) {
	r := rigFor(t, 8, Options{BytesPerDay: 1})
	for b := range 2 * r.s.layout.dataBlocks() {
		r.cache(keyOf(1), cachecore.Block(b), 1)
	}
	if n := r.s.Stats().Admitted; n != uint64(r.s.layout.dataBlocks()) {
		t.Errorf("%d blocks are admitted", n)
	}
}

// However often it is asked for, a small budget is earned.
func TestABudgetIsEarnedByTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(int64(day/time.Second), 1) // a byte a second
		b.spend(b.have)
		for range 200 {
			time.Sleep(time.Second / 2)
			if b.affords(101, missed) {
				t.Fatal("more than was earned")
			}
		}
		if !b.affords(100, missed) {
			t.Errorf("%d of 100 bytes in 100 seconds", b.have)
		}
	})
}
