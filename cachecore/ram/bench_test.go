package ram

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"forebay/cachecore"
)

func BenchmarkReadHit(b *testing.B) {
	const blocks = 1 << 16
	s, err := NewStore(arenaOf(b, blocks*cachecore.BlockSize).Take(blocks * cachecore.BlockSize))
	if err != nil {
		b.Fatal(err)
	}
	for first := cachecore.Block(0); first < blocks/2; first += RunBlocks {
		batch := s.Prepare(1, first, RunBlocks)
		batch.Publish()
	}
	for _, n := range []int{4096, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", n>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := rand.New(rand.NewPCG(rand.Uint64(), 5))
				var sink pieceSink
				for pb.Next() {
					off := int64(r.IntN(blocks/2-n/4096+1)) * 4096
					if !s.ReadNow(1, off, n, &sink) {
						b.Fatal("a miss")
					}
					sink.release()
				}
			})
		})
	}
}

// BenchmarkGC is a full collection beside the index of a 16 GiB store. Its memory is reserved only: the collector never looks at it.
func BenchmarkGC(b *testing.B) {
	if raceEnabled {
		b.Skip("the arena is on the heap")
	}
	const bytes = 16 << 30
	s, err := NewStore(arenaOf(b, bytes).Take(bytes))
	if err != nil {
		b.Fatal(err)
	}
	for first := cachecore.Block(0); first < bytes/cachecore.BlockSize; first += RunBlocks {
		batch := s.Prepare(1, first, RunBlocks)
		batch.Publish()
	}
	b.ReportMetric(float64(s.Stats().UsedBytes)/(1<<30), "GiB-cached")
	b.ResetTimer()
	longest := time.Duration(0)
	for range b.N {
		start := time.Now()
		runtime.GC()
		longest = max(longest, time.Since(start))
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
	runtime.KeepAlive(s)
}
