package stats

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram's buckets are log-linear: single nanoseconds up to 15, then 16 for each power of two, which keeps the error of a
// quantile under 1/16. The last one takes all that is longer.
const (
	linear  = 16
	powers  = 33 // from 2^4 to 2^37 ns, which is 137 s
	buckets = linear * (1 + powers)
)

// Histogram collects durations. Its zero value is ready; it must not be copied.
type Histogram struct {
	copies [spread]struct {
		sum   atomic.Uint64
		count [buckets]atomic.Uint64
		_     [64]byte // the next copy starts on another cache line
	}
}

// Record adds one duration; a negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	c := &h.copies[pick()]
	c.count[bucketOf(d)].Add(1)
	c.sum.Add(uint64(max(d, 0)))
}

func bucketOf(d time.Duration) int {
	if d < linear {
		return int(max(d, 0))
	}
	shift := bits.Len64(uint64(d)) - 5 // leaves the 1 and the 4 bits after it
	return min(shift*linear+int(d>>shift), buckets-1)
}

// lowest is the shortest duration of a bucket.
func lowest(bucket int) time.Duration {
	if bucket < linear {
		return time.Duration(bucket)
	}
	shift := bucket/linear - 1
	return time.Duration(bucket-shift*linear) << shift
}

// Snapshot copies what was recorded.
func (h *Histogram) Snapshot() Distribution {
	var d Distribution
	for i := range h.copies {
		c := &h.copies[i]
		d.Sum += time.Duration(c.sum.Load())
		for b := range c.count {
			n := c.count[b].Load()
			d.count[b] += n
			d.Count += n
		}
	}
	return d
}

// Distribution is what a Histogram held at some time.
type Distribution struct {
	Count uint64
	Sum   time.Duration
	count [buckets]uint64
}

// Quantile returns the middle of the bucket that holds the q-th quantile, 0 <= q <= 1; 0 if nothing was recorded.
func (d *Distribution) Quantile(q float64) time.Duration {
	if d.Count == 0 {
		return 0
	}
	rank := min(uint64(q*float64(d.Count)), d.Count-1)
	for b, seen := 0, uint64(0); b < buckets; b++ {
		if seen += d.count[b]; seen > rank {
			return lowest(b) + (lowest(b+1)-lowest(b))/2
		}
	}
	return lowest(buckets)
}

// AtMost counts what took no longer than limit, to the precision of a bucket: for exposition with fixed bounds.
func (d *Distribution) AtMost(limit time.Duration) uint64 {
	var n uint64
	for b := 0; b < buckets-1 && lowest(b+1)-1 <= limit; b++ {
		n += d.count[b]
	}
	return n
}
