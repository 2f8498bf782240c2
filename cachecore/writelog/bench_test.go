package writelog_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

// BenchmarkAppend appends records with a number of them under way, and trims now and then.
func BenchmarkAppend(b *testing.B) {
	media := map[string]func(b *testing.B) device.Device{
		"memory": func(b *testing.B) device.Device { return memory(b, device.Buffer(256<<20)) },
		"file": func(b *testing.B) device.Device {
			f, err := device.Open(device.Options{Path: filepath.Join(b.TempDir(), "log"), Size: 256 << 20})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { f.Close() })
			return f
		},
	}
	for _, medium := range []string{"memory", "file"} {
		for _, size := range []int{512, 4096, 65536} {
			for _, depth := range []int{1, 32} {
				b.Run(fmt.Sprintf("%s/%d/depth%d", medium, size, depth), func(b *testing.B) {
					d := media[medium](b)
					if err := writelog.Format(d, writelog.FormatOptions{}); err != nil {
						b.Fatal(err)
					}
					benchmarkAppend(b, open(b, d), size, depth)
				})
			}
		}
	}
}

func benchmarkAppend(b *testing.B, l *writelog.Log, size, depth int) {
	data := [][]byte{content(1, 1, size)}
	slots := make(chan error, depth)
	for range depth {
		slots <- nil
	}
	done := func(_ writelog.Position, err error) { slots <- err }
	r := writelog.Record{Shard: 1, Epoch: 1, Kind: writelog.Write, Len: int64(size)}
	every := cachecore.Seq(16 << 20 / size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := <-slots; err != nil {
			b.Fatal(err)
		}
		r.Seq++
		r.Off += int64(size)
		if err := l.Append(r, data, done); err != nil {
			b.Fatal(err)
		}
		if r.Seq%every == 0 {
			if err := l.Trim(1, r.Seq-every/2); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range depth {
		if err := <-slots; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen recovers a log of 200,000 records of 4 KiB.
func BenchmarkOpen(b *testing.B) {
	d := memory(b, device.Buffer(2<<30))
	if err := writelog.Format(d, writelog.FormatOptions{}); err != nil {
		b.Fatal(err)
	}
	const records = 200_000
	l := open(b, d)
	fillFor(b, l, records, 4096)
	b.SetBytes(records * 4096)
	b.ReportAllocs()
	for b.Loop() {
		l, err := writelog.Open(d, writelog.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if used, _ := l.Space(); used < records*4096 {
			b.Fatalf("%d bytes recovered", used)
		}
	}
}

// fillFor appends that many records, and closes the log.
func fillFor(b *testing.B, l *writelog.Log, records, size int) (last writelog.Position) {
	data := [][]byte{content(1, 1, size)}
	for seq := 1; seq <= records; seq++ {
		r := writelog.Record{Shard: 1, Epoch: 1, Seq: cachecore.Seq(seq), Kind: writelog.Write, Len: int64(size)}
		err := l.Append(r, data, func(at writelog.Position, err error) {
			if err != nil {
				b.Error(err)
			}
			last = at
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return last
}

func BenchmarkReadAt(b *testing.B) {
	for _, size := range []int{4096, 65536} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			d := memory(b, device.Buffer(256<<20))
			if err := writelog.Format(d, writelog.FormatOptions{}); err != nil {
				b.Fatal(err)
			}
			l := open(b, d)
			at := fillFor(b, l, 10, size)
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := l.ReadAt(p, at, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
