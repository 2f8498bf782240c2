package flash

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
)

// A scan comes once; what is used again and again stays.
func TestAScanLeavesWhatIsHotAlone(t *testing.T) {
	r := rigFor(t, 64, Options{})
	hot, scanned := keyOf(1), keyOf(2)
	const lines = 16
	r.cache(hot, 0, lines*lineBlocks)
	r.spill()
	before := r.s.Stats()
	for line := range 2000 {
		r.offer(scanned, blockOf(line), lineBlocks)
		r.check(hot, blockOf(line%lines), lineBlocks)
	}
	r.quiet()
	st := r.s.Stats()
	if n := r.check(hot, 0, lines*lineBlocks); n != lines*lineBlocks {
		t.Fatalf("%d of %d hot blocks are left after a scan", n, lines*lineBlocks)
	}
	// The ghost may take a line for another now and then.
	if st.Admitted-before.Admitted > 10*lineBlocks {
		t.Fatalf("%d blocks of a scan were admitted", st.Admitted-before.Admitted)
	}
}

// Blocks that are read at random from more than the flash holds: those that come more often are there more often.
func TestSkewedReadsHitMoreThanTheirShareOfTheFlash(t *testing.T) {
	r := rigFor(t, 64, Options{})
	k, random := keyOf(1), rand.New(rand.NewPCG(7, 7))
	zipf := rand.NewZipf(random, 1.1, 8, 4095)
	hits, reads, rounds := 0, 0, 16000/slower(1)
	for i := range rounds {
		line := blockOf(int(zipf.Uint64()))
		if r.check(k, line, lineBlocks) == lineBlocks {
			if i > rounds/2 {
				hits++
			}
		} else {
			r.offer(k, line, lineBlocks)
		}
		if i > rounds/2 {
			reads++
		}
		r.quiet()
	}
	// The flash holds 63 of 4096 lines. The 63 that come most often make up 42 % of the reads.
	if share := float64(hits) / float64(reads); share < 0.3 {
		t.Fatalf("%.0f%% of the reads are hits", share*100)
	}
}

// What is known to be hot enters at once, those of its blocks that aren't here, and within the write budget.
func TestWhatIsHotElsewhereEntersAtOnce(t *testing.T) {
	r := rigFor(t, 64, Options{BytesPerDay: 24 * 26 * blockSize}) // two regions an hour
	k := keyOf(1)
	r.cache(k, 2, 1)
	batch := r.object(k).PrepareHot(0, 8)
	for i := range 8 {
		switch p := batch.Bytes(i); {
		case (p == nil) != (i == 2):
			t.Fatalf("block %d: room for it is %v", i, p != nil)
		case p != nil:
			r.fill(p, k, blockOf(0)+cachecore.Block(i))
		}
	}
	batch.Publish()
	if n := r.check(k, 0, 8); n != 8 {
		t.Fatalf("%d of 8 blocks are here", n)
	}
	for first, what := range map[cachecore.Block]string{0: "for what is here", 8: "beyond the budget"} {
		if batch = r.object(k).PrepareHot(first, 8); batch.Bytes(0) != nil {
			t.Error("room", what)
		}
		batch.Abandon()
	}
	if st := r.s.Stats(); st.Admitted != 8 || st.Brought != 7 || st.RefusedReserve != 8 || st.RefusedBudget != 0 {
		t.Fatalf("%+v", st)
	}
}

// However much is hot elsewhere, half of what can be saved up is there for what is wanted here; and all that comes in beyond is brought.
func TestWhatIsBroughtLeavesHalfOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 64, Options{BytesPerDay: 24 * 48 * blockSize}) // 6 lines an hour
		k, line := keyOf(1), 0
		bring := func() (n int) {
			for ; ; n++ {
				batch := r.object(k).PrepareHot(blockOf(line), lineBlocks)
				if batch.Bytes(0) == nil {
					return n
				}
				for i := range lineBlocks {
					r.fill(batch.Bytes(i), k, blockOf(line)+cachecore.Block(i))
				}
				batch.Publish()
				line++
				r.quiet()
			}
		}
		if n := bring(); n != 3 {
			t.Errorf("%d lines of 6 are brought", n)
		}
		for i := range 3 {
			r.cache(k, blockOf(1000+i), lineBlocks)
			if n := bring(); n != 0 {
				t.Errorf("%d lines are brought of what is kept", n)
			}
		}
		if st := r.s.Stats(); st.Admitted != 6*lineBlocks || st.RefusedBudget != 0 {
			t.Errorf("%d blocks are admitted of an hour's 48, and %d refused that were wanted", st.Admitted, st.RefusedBudget)
		}
		time.Sleep(24 * time.Hour)
		if n := bring(); n != 3 {
			t.Errorf("%d lines of 6 are brought", n)
		}
		n := 0
		for range 60 {
			time.Sleep(10 * time.Minute)
			n += bring()
		}
		if n < 59 || n > 60 {
			t.Errorf("%d lines are brought in ten hours", n)
		}
		r.close()
	})
}

func TestNoMoreIsWrittenThanTheDaysBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perDay = 24 * 40 * blockSize // 40 blocks an hour
		r := newRig(t, 64, Options{BytesPerDay: perDay})
		k := keyOf(1)
		line := 0
		admit := func() {
			for range 40 {
				r.cache(k, blockOf(line), 8)
				line++
			}
		}
		admit()
		first := r.s.Stats()
		if first.Admitted != 40 || first.RefusedBudget == 0 {
			t.Fatalf("%d blocks admitted at first, %d refused", first.Admitted, first.RefusedBudget)
		}
		for range 48 {
			time.Sleep(30 * time.Minute)
			admit()
		}
		if n := r.s.Stats().Admitted - first.Admitted; n < 20*48*8/10 || n > 20*48 {
			t.Fatalf("%d blocks admitted in a day that has %d", n, 20*48)
		}
		for _, idle := range []time.Duration{12 * time.Hour, 100 * 24 * time.Hour} {
			time.Sleep(idle)
			before := r.s.Stats()
			admit()
			if n := r.s.Stats().Admitted - before.Admitted; n > 40 {
				t.Fatalf("%d blocks admitted at once after %v of nothing", n, idle)
			}
		}
		r.close()
	})
}

// When the device doesn't keep up, what is offered is refused rather than kept in memory.
func TestASlowDeviceRefusesAndHoldsNobody(t *testing.T) {
	r := rigFor(t, 16, Options{})
	gate := make(chan struct{})
	r.twin.OnCall(func(c twinCall) twinFault {
		if c.Kind == twinWrite {
			<-gate
		}
		return twinFault{}
	})
	k := keyOf(1)
	for line := range 20 {
		r.offer(k, blockOf(line), 8)
		r.offer(k, blockOf(line), 8)
	}
	if st := r.s.Stats(); st.Admitted > buffers*13 || st.RefusedBusy == 0 {
		t.Fatalf("%d blocks admitted, %d refused", st.Admitted, st.RefusedBusy)
	}
	if n := r.check(k, 0, 160); n == 0 {
		t.Fatal("what waits to be written is not found")
	}
	r.write(k, 0, 160) // which needs no more of the device than marks
	close(gate)
	r.quiet()
	if n := r.check(k, 0, 160); n != 0 {
		t.Fatalf("%d blocks are found that were written since", n)
	}
}
