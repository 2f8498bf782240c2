package stats

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEveryDurationFallsIntoTheBucketThatHoldsIt(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(lowest(buckets))-1).Draw(r, "ns"))
		if b := bucketOf(d); d < lowest(b) || d >= lowest(b+1) {
			r.Fatalf("%v is in bucket %d, [%v, %v)", d, b, lowest(b), lowest(b+1))
		}
	})
	if bucketOf(-1) != 0 || bucketOf(math.MaxInt64) != buckets-1 {
		t.Error("the ends are not clamped")
	}
}

func TestQuantilesAreWithinASixteenth(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(1, int64(100*time.Second)), 1, 300).Draw(r, "ns")
		var h Histogram
		for _, v := range values {
			h.Record(time.Duration(v))
		}
		slices.Sort(values)
		d := h.Snapshot()
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			want := float64(values[min(int(q*float64(len(values))), len(values)-1)])
			if got := float64(d.Quantile(q)); math.Abs(got-want) > want/16+1 {
				r.Fatalf("quantile %v is %v, should be %v", q, got, want)
			}
		}
		if d.Count != uint64(len(values)) || d.AtMost(lowest(buckets)) != d.Count || d.AtMost(0) != 0 {
			r.Fatal("counts differ")
		}
	})
}

func TestNothingConcurrentIsLost(t *testing.T) {
	var v Volume
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				v.Observe(Read, 4096, time.Microsecond, false)
				v.Observe(Write, 512, time.Millisecond, true)
				v.Datastore(Write, 512, time.Millisecond, false)
				v.Hit(3)
				v.Missed(1)
				v.Local(time.Microsecond)
			}
		})
	}
	all.Wait()
	s := v.Snapshot()
	want := Snapshot{Reads: Traffic{8000, 8000 * 4096, 0}, Writes: Traffic{8000, 0, 8000}, ArrayWrites: Traffic{8000, 8000 * 512, 0}}
	if s.Reads != want.Reads || s.Writes != want.Writes || s.ArrayReads != want.ArrayReads || s.ArrayWrites != want.ArrayWrites {
		t.Errorf("traffic %+v %+v %+v %+v", s.Reads, s.Writes, s.ArrayReads, s.ArrayWrites)
	}
	if s.HitRate() != 0.75 || s.VM.Count != 16000 || s.Local.Count != 8000 || s.Datastore.Count != 8000 {
		t.Errorf("hit rate %v, latencies %d %d %d", s.HitRate(), s.VM.Count, s.Local.Count, s.Datastore.Count)
	}
	if s.VM.Sum != 8000*(time.Microsecond+time.Millisecond) {
		t.Errorf("sum %v", s.VM.Sum)
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	var v Volume
	if n := testing.AllocsPerRun(100, func() {
		v.Observe(Read, 4096, time.Microsecond, false)
		v.Hit(1)
		if v.Sampled() {
			v.Local(time.Microsecond)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	var v Volume
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v.Observe(Read, 4096, 7*time.Microsecond, false)
		}
	})
}
