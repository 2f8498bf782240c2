package integration

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/ram"
)

// fullGC times collections beside a store of 16 GiB that is full. Its pages are never written, so that they need no memory; the collector
// looks at neither them nor the index.
func fullGC(b *bed) figure {
	const size = 16 << 30
	arena, err := ram.NewArena(size)
	if err != nil {
		b.t.Fatal(err)
	}
	store, err := ram.NewStore(arena.Take(size))
	if err != nil {
		b.t.Fatal(err)
	}
	for at := cachecore.Block(0); at < size/cachecore.BlockSize; at += ram.RunBlocks {
		batch := store.Prepare(1, at, ram.RunBlocks)
		batch.Publish()
	}
	cached := store.Stats().UsedBytes
	if cached < size*9/10 {
		b.t.Fatalf("only %d bytes are cached", cached)
	}
	var took []float64
	for range 9 {
		start := time.Now()
		runtime.GC()
		took = append(took, float64(time.Since(start))/1e6)
	}
	runtime.KeepAlive(store)
	f := figure{ours: fmt.Sprintf("median %.1f, longest %.1f, %.1f GiB cached", middle(took), slices.Max(took), float64(cached)/(1<<30)), value: middle(took), unit: "ms"}
	if err := store.Close(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	if err := arena.Close(); err != nil {
		b.t.Fatal(err)
	}
	return f
}
