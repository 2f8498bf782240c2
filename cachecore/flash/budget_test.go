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

// Another limit counts at once. What was earned by then stays, up to what the new one keeps, and one that is larger gives nothing beforehand.
func TestABudgetIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hour, region = 1000, 10
		b := newBudget(24*hour, region)
		b.spend(hour)
		time.Sleep(30 * time.Minute)
		b.change(48*hour, region)
		if b.have != hour/2 {
			t.Errorf("%d bytes of half an hour", b.have)
		}
		time.Sleep(30 * time.Minute)
		if b.affords(hour/2+hour+1, missed) || !b.affords(hour/2+hour, missed) {
			t.Errorf("%d bytes half an hour later", b.have)
		}
		b.change(12*hour, region)
		if b.have != hour/2 {
			t.Errorf("%d bytes of half as much an hour", b.have)
		}
		b.change(0, region)
		b.spend(100 * hour)
		b.change(24*hour, region)
		if b.have != hour {
			t.Errorf("%d bytes after a time without a limit", b.have)
		}
	})
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
