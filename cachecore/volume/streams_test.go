package volume

import (
	"math/rand/v2"
	"testing"
)

// readAll tells streams of the reads of n bytes from off to end, depth of them at a time in any order, and returns how many bytes bypass.
func readAll(s *streams, off, end int64, n, depth int, between func()) (bypassed int64) {
	r := rand.New(rand.NewPCG(1, 7))
	for at := off; at < end; at += int64(n * depth) {
		for _, i := range r.Perm(depth) {
			if from := at + int64(i*n); from < end && s.bypasses(from, n) {
				bypassed += int64(n)
			}
			if between != nil {
				between()
			}
		}
	}
	return bypassed
}

func TestStreamsTellSequentialFromRandom(t *testing.T) {
	s := streams{threshold: mib}
	for i := range int64(64) { // four streams that take turns, each a little out of order
		for k := range int64(4) {
			if s.bypasses(k<<40+(i^1)*16*kib, 16*kib) {
				t.Fatalf("stream %d bypasses after %d reads", k, i)
			}
		}
	}
	if !s.bypasses(64*16*kib, 64*kib) {
		t.Error("a stream over the threshold is admitted")
	}
	for i := range int64(10000) {
		if s.bypasses(1<<50+(i*7919%10007)<<24, 64*kib) {
			t.Fatal("random reads bypass")
		}
	}
	never := streams{threshold: -1}
	for i := range int64(1000) {
		if never.bypasses(i*mib, mib) {
			t.Fatal("bypass though it is off")
		}
	}
}

func TestAStreamIsRecognisedHoweverItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		off      int64
		n, depth int
	}{
		"one by one":              {0, 64 * kib, 1},
		"from the middle":         {1<<40 + 512, 64 * kib, 1},
		"32 at a time":            {0, 16 * kib, 32},
		"by blocks, 64 at a time": {4096, 4 * kib, 64},
		"in parts of blocks":      {0, 512, 1},
		"in odd parts":            {3 * 512, 7 * 512, 1},
		"by megabytes":            {0, mib, 1},
		"by the longest reads":    {0, MaxRead, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := streams{threshold: 8 * mib}
			total := int64(32 * mib)
			got := readAll(&s, c.off, c.off+total, c.n, c.depth, nil)
			// What is admitted is the threshold, and less than one read or what was in the queue beside it.
			if most := total - 8*mib; got > most+mib || got < most-max(mib, int64(c.n)) {
				t.Errorf("%d KiB of %d bypassed", got/kib, total/kib)
			}
		})
	}
}

func TestAStreamIsRecognisedAmongRandomReaders(t *testing.T) {
	s := streams{threshold: 4 * mib}
	r := rand.New(rand.NewPCG(3, 7))
	random := func() {
		for range 40 {
			if s.bypasses(1<<40+r.Int64N(1<<24)*blk, blk) {
				t.Fatal("a random read bypasses")
			}
		}
	}
	if got := readAll(&s, 0, 16*mib, 64*kib, 4, random); got < 10*mib {
		t.Errorf("%d KiB of a stream among random reads bypassed", got/kib)
	}
}

// What the end of a long stream is near to is as good as anything else, once it was read.
func TestAStreamThatEndedKeepsNothingOut(t *testing.T) {
	s := streams{threshold: defaultBypass}
	const end = 16 * mib
	readAll(&s, 0, end, 64*kib, 8, nil)
	r := rand.New(rand.NewPCG(4, 7))
	for range 1000 {
		if s.bypasses(end-mib+r.Int64N(256)*blk, blk) {
			t.Fatal("a second read of what a stream has read bypasses")
		}
	}
	bypassed := 0
	for range 5000 {
		if s.bypasses(end+r.Int64N(256)*blk, blk) {
			bypassed++
		}
	}
	if bypassed > 256 {
		t.Errorf("%d reads behind its end bypassed, of 256 blocks", bypassed)
	}
}

func TestAHotRangeIsNoStream(t *testing.T) {
	s := streams{threshold: 8 * mib}
	r := rand.New(rand.NewPCG(5, 7))
	for range 100_000 {
		if s.bypasses(r.Int64N(6*mib/blk)*blk, blk) {
			t.Fatal("a read of a hot range bypasses")
		}
	}
}

func TestTwoStreamsThatFollowEachOtherAreRecognised(t *testing.T) {
	s := streams{threshold: 4 * mib}
	bypassed := [2]int{}
	for i := range int64(256) {
		for k, lag := range []int64{0, mib / 2} {
			if s.bypasses(1<<30+i*64*kib-lag, 64*kib) {
				bypassed[k]++
			}
		}
	}
	if bypassed[0] < 180 || bypassed[1] < 180 {
		t.Errorf("%v of 256 reads bypassed", bypassed)
	}
}

func BenchmarkStreams(b *testing.B) {
	s := streams{threshold: defaultBypass}
	r := rand.New(rand.NewPCG(6, 7))
	for b.Loop() {
		s.bypasses(r.Int64N(1<<24)*blk, blk)
	}
}
