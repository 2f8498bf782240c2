package bench

import (
	"context"
	"runtime"
	"testing"
	"time"
)

func TestALoadAllocatesNothing(t *testing.T) {
	for _, read := range []int{100, 0} {
		f := newFiler(t, testSize)
		f.quick.Store(true)
		o := fileOptions(f)
		o.Read, o.Depth = read, 16
		x, err := open(t.Context(), o.withDefaults(), o.Target)
		if err != nil {
			t.Fatal(err)
		}
		defer x.device.close()
		d := newDriver(x)
		if _, err := d.run(t.Context(), o.Duration); err != nil { // buffers grow to what they need
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := d.run(t.Context(), o.Duration)
		runtime.ReadMemStats(&after)
		n := s.reads.h.TotalCount() + s.writes.h.TotalCount()
		if err != nil || n < 100 {
			t.Fatalf("%d operations, %v", n, err)
		}
		// What a run allocates is in it, and what the server does.
		if mallocs := after.Mallocs - before.Mallocs; mallocs > 100+uint64(n)/20 {
			t.Errorf("%d allocations in %d operations", mallocs, n)
		}
	}
}

// BenchmarkLoadOnAFile is what the load costs, with a server in the same process that answers from memory.
func BenchmarkLoadOnAFile(b *testing.B) {
	for name, change := range map[string]func(o *Options){"reads": func(o *Options) { o.Read = 100 }, "writes": func(o *Options) { o.Read = 0 }} {
		b.Run(name, func(b *testing.B) {
			f := newFiler(b, testSize)
			f.quick.Store(true)
			o := fileOptions(f)
			o.Depth = 16
			change(&o)
			x, err := open(b.Context(), o.withDefaults(), o.Target)
			if err != nil {
				b.Fatal(err)
			}
			defer x.device.close()
			d := newDriver(x)
			var operations int64
			var cpu, elapsed time.Duration
			for b.Loop() {
				s, err := d.run(context.Background(), 100*time.Millisecond)
				if err != nil {
					b.Fatal(err)
				}
				operations += s.reads.h.TotalCount() + s.writes.h.TotalCount()
				cpu, elapsed = cpu+s.ownCPU, elapsed+s.elapsed
			}
			b.ReportMetric(float64(operations)/elapsed.Seconds(), "IOPS")
			b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(operations), "us/op-both")
		})
	}
}
