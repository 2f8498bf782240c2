package bench

import (
	"math"
	"sync/atomic"
	"testing"
	"time"
)

func TestEveryBlockHasOneRank(t *testing.T) {
	for _, count := range []uint64{1, 2, 3, 10, 1000, 4096, 65537} {
		step, seen := coprime(count), map[uint64]bool{}
		for r := range count {
			seen[mulMod(r, step, count)] = true
		}
		if uint64(len(seen)) != count {
			t.Errorf("%d ranks for %d blocks", len(seen), count)
		}
	}
	// 2^40 * 2 = 2^41 = 9 mod 2^41-9
	if got := mulMod(1<<40, 2, 1<<41-9); got != 9 {
		t.Errorf("a large product: %d", got)
	}
}

func TestZipfPrefersSomeBlocksAndSpreadsThem(t *testing.T) {
	const count, draws = 10000, 100000
	p := newPattern(Options{Random: true, Zipf: 1.1, Seed: 1}, count, 0, nil)
	hits := map[uint64]int{}
	for range draws {
		b := p.next()
		if b >= count {
			t.Fatalf("block %d of %d", b, count)
		}
		hits[b]++
	}
	// P(rank 0) = 1/H with H the sum of k^-1.1.
	h := 0.0
	for k := 1; k <= count; k++ {
		h += math.Pow(float64(k), -1.1)
	}
	if want := draws / h; math.Abs(float64(hits[0])-want) > want/10 {
		t.Errorf("the most popular block came %d times, expected %.0f", hits[0], want)
	}
	if near := hits[1] + hits[2] + hits[3]; near > hits[0]/2 {
		t.Errorf("popular blocks lie together: %d", near)
	}
}

func TestPatternsStayInTheWorkingSetAndRepeatWithTheirSeed(t *testing.T) {
	var cursor atomic.Uint64
	seq := newPattern(Options{}, 3, 0, &cursor)
	for i := range uint64(7) {
		if got := seq.next(); got != i%3 {
			t.Errorf("sequential block %d is %d", i, got)
		}
	}
	a, b := newPattern(Options{Random: true, Seed: 9}, 100, 4, nil), newPattern(Options{Random: true, Seed: 9}, 100, 4, nil)
	for range 50 {
		if x := a.next(); x != b.next() || x >= 100 {
			t.Fatal("the same seed gives other blocks")
		}
	}
}

func TestThePercentageOfReadsIsKept(t *testing.T) {
	p := newPattern(Options{Random: true, Seed: 1}, 1, 0, nil)
	reads := 0
	for range 10000 {
		if p.percent(70) {
			reads++
		}
	}
	if reads < 6800 || reads > 7200 || p.percent(0) || !p.percent(100) {
		t.Errorf("%d of 10000 for 70%%", reads)
	}
}

func TestPercentilesAreTold(t *testing.T) {
	l := newLatencies()
	for i := 1; i <= 1000; i++ {
		l.record(time.Duration(i) * time.Microsecond)
	}
	s := l.summary()
	for name, c := range map[string][2]float64{"p50": {s.P50, 500}, "p90": {s.P90, 900}, "p99": {s.P99, 990}, "p99.9": {s.P999, 999}, "max": {s.Max, 1000}, "mean": {s.Mean, 500.5}} {
		if math.Abs(c[0]-c[1]) > c[1]/200 {
			t.Errorf("%s is %.1f instead of %.1f", name, c[0], c[1])
		}
	}
	l.record(time.Hour) // beyond the scale
	if s := l.summary(); s.Operations != 1001 {
		t.Errorf("%d operations", s.Operations)
	}
}

func TestCPUTimeIsReadWhateverTheNameOfTheProcess(t *testing.T) {
	d, err := parseStat([]byte("42 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0"))
	if err != nil || d != 2*time.Second {
		t.Errorf("%v, %v", d, err)
	}
	for _, s := range []string{"", "42 (x) S 1", "42 (x) S 1 2 3 4 5 6 7 8 9 10 a b 0"} {
		if _, err := parseStat([]byte(s)); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestRatiosAreMediansOfTheRounds(t *testing.T) {
	round := func(operations int, took time.Duration) slice {
		s := newSlice()
		s.elapsed = time.Second
		for range operations {
			s.reads.record(took)
		}
		return s
	}
	a := []slice{round(200, 10*time.Microsecond), round(200, 10*time.Microsecond), round(9000, time.Second)}
	b := []slice{round(100, 20*time.Microsecond), round(100, 20*time.Microsecond), round(1, time.Microsecond)}
	v := compare(Result{}, a, b)
	if v.Rounds != 3 || math.Abs(v.IOPSRatio-2) > 0.01 || math.Abs(v.P50Ratio-0.5) > 0.01 {
		t.Errorf("%+v", v)
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{"4096": 4096, "4KiB": 4096, "64K": 65536, "128MiB": 128 << 20, "1.5GiB": 3 << 29, "2TiB": 2 << 40, "0": 0} {
		var v size
		if err := v.Set(s); err != nil || int64(v) != want {
			t.Errorf("%s: %d, %v", s, v, err)
		}
	}
	for _, s := range []string{"", "KiB", "4kb", "-1", "1.5", "1e30", "4 KiB", "NaN", "99999999TiB"} {
		var v size
		if v.Set(s) == nil {
			t.Errorf("%q was taken for %d", s, v)
		}
	}
	if formatSize(1536) != "1536" || formatSize(128<<20) != "128MiB" {
		t.Error("sizes are written wrongly")
	}
}
