package arraytest

import (
	"context"
	"errors"
	"testing"

	"forebay/cachecore"
)

func TestSuiteOnMem(t *testing.T) {
	for name, info := range map[string]cachecore.ArrayInfo{
		"512 thin":   {Size: 2 << 20, LogicalBlock: 512, Thin: true, UnmapZeroes: true, WriteCache: true},
		"4K":         {Size: 2 << 20, LogicalBlock: 4096, Thin: true},
		"odd length": {Size: 2<<20 + 512},
	} {
		t.Run(name, func(t *testing.T) {
			Suite(t, func(*testing.T) cachecore.Array { return NewMem(info) })
		})
	}
}

func TestCrashKeepsWhatWasFlushedOrFUA(t *testing.T) {
	m := NewMem(cachecore.ArrayInfo{Size: 1 << 20, WriteCache: true})
	old, flushed, fua, lost := make([]byte, 512), pattern(1, 512), pattern(2, 512), pattern(3, 512)
	write(t, m, flushed, 0, cachecore.WriteOptions{})
	if err := m.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	write(t, m, fua, 512, cachecore.WriteOptions{FUA: true})
	write(t, m, lost, 1024, cachecore.WriteOptions{})
	write(t, m, lost, 1536, cachecore.WriteOptions{})
	m.Crash(func(block int64) bool { return block == 3 })
	expect(t, m, 0, flushed)
	expect(t, m, 512, fua)
	expect(t, m, 1024, old)
	expect(t, m, 1536, lost)
}

func TestHoldStopsOneOperation(t *testing.T) {
	m := NewMem(cachecore.ArrayInfo{Size: 1 << 20})
	held := m.Hold(After, Of(Write, 512))
	write(t, m, pattern(1, 512), 0, cachecore.WriteOptions{})
	done := make(chan error)
	go func() { done <- m.WriteAt(context.Background(), pattern(2, 512), 512, cachecore.WriteOptions{}) }()
	<-held.Arrived()
	expect(t, m, 512, pattern(2, 512))
	write(t, m, pattern(3, 1024), 0, cachecore.WriteOptions{})
	boom := errors.New("boom")
	held.Release(boom)
	if err := <-done; !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if n := m.Overlaps(); n != 1 {
		t.Fatalf("%d overlaps seen, there was one", n)
	}
}

func TestCancelledHeldWriteHasUnknownOutcome(t *testing.T) {
	m := NewMem(cachecore.ArrayInfo{Size: 1 << 20})
	held := m.Hold(Before, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- m.WriteAt(ctx, pattern(2, 512), 0, cachecore.WriteOptions{}) }()
	<-held.Arrived()
	cancel()
	if err := <-done; !errors.Is(err, cachecore.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
