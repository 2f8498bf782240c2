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
