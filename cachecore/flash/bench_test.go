package flash

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
)

// benchStore is a store in memory, full of lines of one object.
func benchStore(b *testing.B, size int64) (*Store, *Object, int) {
	dev, err := device.NewMemory(device.Buffer(int(size)))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := Format(dev, FormatOptions{}); err != nil {
		b.Fatal(err)
	}
	s, err := Open(dev, Options{Condemn: new(rig).condemn})
	if err != nil {
		b.Fatal(err)
	}
	o, err := s.Attach(bg, keyOf(1), 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	r, lines := &rig{tb: b, s: s}, int(size/lineBytes*3/4)
	for line := range lines {
		for range 2 {
			batch := o.Prepare(blockOf(line), lineBlocks)
			batch.Publish()
		}
		if line%8 == 0 {
			r.quiet()
		}
	}
	r.spill()
	return s, o, lines
}

func BenchmarkRead(b *testing.B) {
	_, o, lines := benchStore(b, 256<<20)
	for _, n := range []int{1, 8, 128} {
		b.Run(fmt.Sprintf("%dK", n*4), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r, p := rand.New(rand.NewPCG(rand.Uint64(), 5)), make([]byte, n*blockSize)
				for pb.Next() {
					if _, err := o.Read(bg, cachecore.Block(r.IntN(lines*lineBlocks-n)), n, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkContains(b *testing.B) {
	_, o, lines := benchStore(b, 64<<20)
	r := rand.New(rand.NewPCG(1, 5))
	b.ReportAllocs()
	for b.Loop() {
		o.Contains(blockOf(r.IntN(lines)), lineBlocks)
	}
}

// BenchmarkInvalidate is of extents that are marked already, as most writes find them.
func BenchmarkInvalidate(b *testing.B) {
	_, o, lines := benchStore(b, 64<<20)
	r := rand.New(rand.NewPCG(1, 5))
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Invalidate(bg, blockOf(r.IntN(lines)), lineBlocks); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is of 10 GiB of synthetic footers.
func BenchmarkOpen(b *testing.B) {
	dev, _ := synthetic(b, 10<<30)
	b.ReportAllocs()
	for b.Loop() {
		s, err := Open(dev, Options{Condemn: new(rig).condemn})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		_ = s.memory.Close()
		b.StartTimer()
	}
}
