package arraytest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"forebay/cachecore"
)

// Suite runs what every array keeps. open returns a fresh array of at least 1 MiB whose end it owns: it closes what there is to close
// in t's cleanup. What an array lacks (Zeroer, Thin) is skipped.
func Suite(t *testing.T, open func(t *testing.T) cachecore.Array) {
	tests := []struct {
		name string
		run  func(*testing.T, cachecore.Array)
	}{
		{"InfoIsWhole", infoIsWhole},
		{"ReadsBackWhatWasWritten", readsBack},
		{"EmptyTransfersDoNothing", emptyTransfers},
		{"RefusesWhatIsBeyondTheEnd", refusesBeyondTheEnd},
		{"RefusesWhatIsNotAligned", refusesMisaligned},
		{"TakesMemoryOfAnyAlignment", anyMemory},
		{"FUAAndFlush", fuaAndFlush},
		{"UnmapLeavesTheRestAlone", unmap},
		{"ZeroesReadAsZeros", zeroes},
		{"ConcurrentTransfers", concurrent},
		{"CancelledContext", cancelled},
		{"EqualsPlainBytes", equalsPlainBytes},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

const least = 1 << 20

func infoIsWhole(t *testing.T, a cachecore.Array) {
	i := a.Info()
	if i.LogicalBlock != 512 && i.LogicalBlock != 4096 {
		t.Errorf("a logical block of %d bytes", i.LogicalBlock)
	}
	if i.PhysicalBlock < i.LogicalBlock || i.PhysicalBlock%i.LogicalBlock != 0 {
		t.Errorf("a physical block of %d bytes over logical ones of %d", i.PhysicalBlock, i.LogicalBlock)
	}
	if i.Size < least || i.Size%int64(i.LogicalBlock) != 0 {
		t.Errorf("a size of %d bytes", i.Size)
	}
}

func readsBack(t *testing.T, a cachecore.Array) {
	block := int64(a.Info().LogicalBlock)
	for _, r := range [][2]int64{{0, block}, {block, 3 * block}, {64 << 10, 256 << 10}, {a.Info().Size - block, block}} {
		want := pattern(r[0], r[1])
		write(t, a, want, r[0], cachecore.WriteOptions{})
		expect(t, a, r[0], want)
	}
}

func emptyTransfers(t *testing.T, a cachecore.Array) {
	ctx := context.Background()
	if err := errors.Join(a.ReadAt(ctx, nil, 0), a.WriteAt(ctx, nil, a.Info().Size, cachecore.WriteOptions{})); err != nil {
		t.Error(err)
	}
}

func refusesBeyondTheEnd(t *testing.T, a cachecore.Array) {
	ctx, size, block := context.Background(), a.Info().Size, int64(a.Info().LogicalBlock)
	last := pattern(1, block)
	write(t, a, last, size-block, cachecore.WriteOptions{})
	two := make([]byte, 2*block)
	for name, err := range map[string]error{
		"read across the end":  a.ReadAt(ctx, two, size-block),
		"read at the end":      a.ReadAt(ctx, two, size),
		"read before 0":        a.ReadAt(ctx, two, -block),
		"write across the end": a.WriteAt(ctx, two, size-block, cachecore.WriteOptions{}),
		"write far beyond":     a.WriteAt(ctx, two, 1<<62, cachecore.WriteOptions{}),
	} {
		if !errors.Is(err, cachecore.ErrOutOfRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.Info().Size != size {
		t.Errorf("the size has become %d", a.Info().Size)
	}
	expect(t, a, size-block, last)
}

func refusesMisaligned(t *testing.T, a cachecore.Array) {
	ctx, block := context.Background(), a.Info().LogicalBlock
	for name, err := range map[string]error{
		"read of half a block":  a.ReadAt(ctx, make([]byte, block/2), 0),
		"read between blocks":   a.ReadAt(ctx, make([]byte, block), int64(block/2)),
		"write of half a block": a.WriteAt(ctx, make([]byte, block/2), 0, cachecore.WriteOptions{}),
		"write between blocks":  a.WriteAt(ctx, make([]byte, block), 1, cachecore.WriteOptions{}),
	} {
		if err == nil {
			t.Errorf("%s was done", name)
		}
	}
}

func anyMemory(t *testing.T, a cachecore.Array) {
	n := int64(8 << 10)
	for shift := range 3 {
		want := pattern(int64(shift), n)
		p := append(make([]byte, shift, n+3), want...)[shift:]
		write(t, a, p, 0, cachecore.WriteOptions{})
		got := make([]byte, n+3)[shift : int64(shift)+n]
		if err := a.ReadAt(context.Background(), got, 0); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("memory %d bytes off: other bytes, or %v", shift, err)
		}
		if !bytes.Equal(p, want) {
			t.Fatal("a write changed the caller's bytes")
		}
	}
}

func fuaAndFlush(t *testing.T, a cachecore.Array) {
	one, two := pattern(1, 4096), pattern(2, 4096)
	write(t, a, one, 0, cachecore.WriteOptions{FUA: true})
	write(t, a, two, 4096, cachecore.WriteOptions{})
	if err := a.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, a, 0, one)
	expect(t, a, 4096, two)
}

func unmap(t *testing.T, a cachecore.Array) {
	info := a.Info()
	if !info.Thin {
		t.Skip("not thin")
	}
	grain := max(info.UnmapGrain, int64(info.LogicalBlock), 4096)
	if 4*grain > info.Size {
		t.Skipf("a grain of %d bytes", grain)
	}
	whole := pattern(3, 4*grain)
	write(t, a, whole, 0, cachecore.WriteOptions{})
	if err := a.Unmap(context.Background(), grain, 2*grain); err != nil {
		t.Fatal(err)
	}
	expect(t, a, 0, whole[:grain])
	expect(t, a, 3*grain, whole[3*grain:])
	if info.UnmapZeroes {
		expect(t, a, grain, make([]byte, 2*grain))
	}
	if err := a.Unmap(context.Background(), info.Size, grain); !errors.Is(err, cachecore.ErrOutOfRange) {
		t.Errorf("unmap beyond the end: %v", err)
	}
}

func zeroes(t *testing.T, a cachecore.Array) {
	z, ok := a.(cachecore.Zeroer)
	if !ok {
		t.Skip("no Zeroer")
	}
	block := int64(a.Info().LogicalBlock)
	for _, unmap := range []bool{false, true} {
		whole := pattern(4, 16*block)
		write(t, a, whole, 0, cachecore.WriteOptions{})
		err := z.WriteZeroes(context.Background(), block, 13*block, unmap)
		if errors.Is(err, cachecore.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		expect(t, a, 0, whole[:block])
		expect(t, a, block, make([]byte, 13*block))
		expect(t, a, 14*block, whole[14*block:])
	}
}

func concurrent(t *testing.T, a cachecore.Array) {
	const workers, stripe = 8, least / 8
	var all sync.WaitGroup
	for w := range int64(workers) {
		all.Go(func() {
			for round := range int64(8) {
				off, want := w*stripe+round*4096, pattern(w<<8|round, 16<<10)
				if err := a.WriteAt(context.Background(), want, off, cachecore.WriteOptions{FUA: round%4 == 0}); err != nil {
					t.Error(err)
				}
				got := make([]byte, len(want))
				if err := a.ReadAt(context.Background(), got, off); err != nil || !bytes.Equal(got, want) {
					t.Errorf("worker %d reads other bytes than it wrote, or %v", w, err)
				}
			}
			if err := a.Flush(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// cancelled: an array may be too fast to notice, but it doesn't call an error success, and it goes on serving others.
func cancelled(t *testing.T, a cachecore.Array) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, err := range map[string]error{
		"read":  a.ReadAt(ctx, make([]byte, 4096), 0),
		"write": a.WriteAt(ctx, make([]byte, 4096), 0, cachecore.WriteOptions{}),
		"flush": a.Flush(ctx),
	} {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := pattern(5, 4096)
	write(t, a, want, 0, cachecore.WriteOptions{})
	expect(t, a, 0, want)
}

func pattern(seed, n int64) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), 1})
	p := make([]byte, n)
	_, _ = r.Read(p) // never fails
	return p
}

func write(t *testing.T, a cachecore.Array, p []byte, off int64, o cachecore.WriteOptions) {
	t.Helper()
	if err := a.WriteAt(context.Background(), p, off, o); err != nil {
		t.Fatalf("write of %d bytes at %d: %v", len(p), off, err)
	}
}

func expect(t *testing.T, a cachecore.Array, off int64, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if err := a.ReadAt(context.Background(), got, off); err != nil {
		t.Fatalf("read of %d bytes at %d: %v", len(got), off, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("other bytes than were written at %d+%d", off, len(want))
	}
}
