package iscsi

import "testing"

func TestTheWindowIsHalvedOncePerWindowAndGrowsBack(t *testing.T) {
	w := newWindow(8)
	w.busy(3, 8)
	w.busy(5, 8) // sent before the first answer came
	if w.size != 4 {
		t.Fatalf("a window of %d", w.size)
	}
	w.busy(9, 12)
	w.busy(13, 14)
	w.busy(15, 15)
	if w.size != 1 {
		t.Fatalf("a window of %d", w.size)
	}
	for range 1 + 2 + 3 + 4 + 5 + 6 + 7 + 100 {
		w.good()
	}
	if w.size != 8 {
		t.Fatalf("a window of %d after as many answers as it takes", w.size)
	}
}

func TestPausesGrowToABound(t *testing.T) {
	for times, last := 0, pause(0); times < 100; times++ {
		if p := pause(times); p < last || p < shortestPause || p > longestPause {
			t.Fatalf("pause %d is %s after %s", times, p, last)
		} else {
			last = p
		}
	}
}
