package ram

import (
	"math/rand/v2"
	"testing"

	"forebay/cachecore"
)

// A trace yields block numbers.
type trace func(i int) cachecore.Block

const (
	traceSlots  = 4096
	fresh       = 1 << 24 // where the blocks of scans begin
	traceLength = 400_000
)

func zipf(seed uint64, s float64, blocks uint64) trace {
	z := rand.NewZipf(rand.New(rand.NewPCG(seed, 1)), s, 1, blocks-1)
	return func(int) cachecore.Block {
		// Popular blocks lie apart, not side by side.
		return cachecore.Block(mix(z.Uint64()) % blocks)
	}
}

func loop(blocks int) trace {
	return func(i int) cachecore.Block { return cachecore.Block(i % blocks) }
}

// scans puts scans of fresh blocks between the accesses of another trace: every period, length of them in a row.
func scans(inner trace, period, length int) trace {
	scanned, used := 0, 0
	return func(i int) cachecore.Block {
		if i%period < length {
			scanned++
			return cachecore.Block(fresh + scanned)
		}
		used++
		return inner(used)
	}
}

// pieces reads every block of a trace several times in a row, as a reader of 512 bytes does.
func pieces(inner trace, times int) trace {
	var at cachecore.Block
	return func(i int) cachecore.Block {
		if i%times == 0 {
			at = inner(i / times)
		}
		return at
	}
}

// A replayed trace: of an access in pieces only the first piece counts, and of scans nothing.
type replayed struct {
	trace trace
	times int // pieces of each access
}

func (tr replayed) hitRate(t *testing.T, newPolicy func(*shard) policy) float64 {
	t.Helper()
	s, err := newStore(make([]byte, traceSlots*cachecore.BlockSize), newPolicy, 1)
	if err != nil {
		t.Fatal(err)
	}
	var sink pieceSink
	hits, all := 0, 0
	for i := range traceLength {
		block := tr.trace(i)
		hit := s.ReadNow(1, int64(block)*cachecore.BlockSize, cachecore.BlockSize, &sink)
		sink.release()
		if !hit {
			b := s.Prepare(1, block, 1)
			b.Publish()
		}
		if i%tr.times == 0 && block < fresh {
			all++
			if hit {
				hits++
			}
		}
	}
	return float64(hits) / float64(max(all, 1))
}

// withoutWindow is S3-FIFO that counts every touch.
func withoutWindow(sh *shard) policy {
	p := newS3FIFO(sh).(*s3fifo)
	p.window = 0
	return p
}

func TestReplayResistsScansWhereLRUDoesNot(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine, and slow")
	}
	const slots = traceSlots
	scanned := func() trace { return scans(zipf(3, 1.1, 1<<16), 4*slots, 2*slots) }
	for _, c := range []struct {
		name  string
		trace func() trace
		times int
		// S3-FIFO's hit rate is above that of the others by at least this.
		lru, withoutWindow float64
	}{
		{"zipf", func() trace { return zipf(1, 1.1, 1<<17) }, 1, 0.02, -0.02},
		{"loop over twice the cache", func() trace { return loop(2 * slots) }, 1, 0.03, -0.30},
		{"zipf in pieces", func() trace { return pieces(zipf(2, 1.1, 1<<17), 8) }, 8, 0.004, 0.005},
		{"zipf with scans of twice the cache", scanned, 1, 0.08, -0.02},
		{"zipf with scans, in pieces", func() trace { return pieces(scanned(), 4) }, 4, 0.04, 0.015},
		{"hot set of 3/4 of the cache with scans", func() trace { return scans(uniform(5, slots*3/4), 4*slots, slots) }, 1, 0.15, -0.02},
		{"scan only", func() trace { return func(i int) cachecore.Block { return cachecore.Block(i) } }, 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			rate := func(p func(*shard) policy) float64 { return replayed{c.trace(), c.times}.hitRate(t, p) }
			s3, lru, counting := rate(newS3FIFO), rate(newLRU), rate(withoutWindow)
			t.Logf("S3-FIFO %.1f %%, LRU %.1f %%, S3-FIFO without a window %.1f %%", 100*s3, 100*lru, 100*counting)
			if s3 < lru+c.lru || s3 < counting+c.withoutWindow {
				t.Errorf("S3-FIFO is not %.2f above LRU and %.2f above itself without a window", c.lru, c.withoutWindow)
			}
		})
	}
}

func uniform(seed uint64, blocks int) trace {
	r := rand.New(rand.NewPCG(seed, 2))
	return func(int) cachecore.Block { return cachecore.Block(r.IntN(blocks)) }
}
