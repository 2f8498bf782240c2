package writeback

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// queued is an array that does one thing after the other, in the order of their coming: a write takes its time by the array's rate, a read 2 ms.
type queued struct {
	slow
	waiting, most atomic.Int64 // writes
	written       atomic.Int64 // bytes
}

func newQueued(rate int64) *queued {
	return &queued{slow: slow{Mem: arraytest.NewMem(cachecore.ArrayInfo{Size: 256 * mib, WriteCache: true}), one: make(chan struct{}, 1), rate: rate}}
}

const queuedRead = 2 * time.Millisecond

func (q *queued) ReadAt(ctx context.Context, p []byte, off int64) error {
	q.one <- struct{}{}
	defer func() { <-q.one }()
	time.Sleep(queuedRead)
	return q.Mem.ReadAt(ctx, p, off)
}

func (q *queued) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	n := q.waiting.Add(1)
	defer q.waiting.Add(-1)
	if n > q.most.Load() {
		q.most.Store(n)
	}
	q.written.Add(int64(len(p)))
	return q.slow.WriteAt(ctx, p, off, o)
}

// backlogged is a rig with much to carry to an array that takes 20 MiB a second.
func backlogged(t *testing.T, change ...func(*Options)) (*rig, *queued) {
	q := newQueued(20 * mib)
	r := newRig(t, Back, append(change, func(o *Options) { o.Array = q })...)
	r.log.capacity = 1024 * mib
	for off := int64(0); off < 200*mib; off += 256 << 10 {
		r.write(off, of('a', 256<<10))
	}
	return r, q
}

// reads times reads of what is not dirty, one after the other, for some time, and returns the median of the later half.
func reads(r *rig, during time.Duration) time.Duration {
	var took []time.Duration
	for began := time.Now(); time.Since(began) < during; time.Sleep(5 * time.Millisecond) {
		start := time.Now()
		r.expect(250*mib, of(0, blk))
		took = append(took, time.Since(start))
	}
	took = took[len(took)/2:]
	slices.Sort(took)
	return took[len(took)/2]
}

// Reads of a slow array wait for few of the destager's transfers, of 50 ms each, whether it was known what they take alone or not, and whenever the
// first comes; and the destager goes on.
func TestReadsAreNotStarvedByTheDestager(t *testing.T) {
	check := func(known bool, after time.Duration) func(t *testing.T) {
		return func(t *testing.T) {
			r, q := backlogged(t)
			if known {
				reads(r, time.Second)
			}
			r.run()
			time.Sleep(after)
			const during = 6 * time.Second
			before := q.written.Load()
			median := reads(r, during)
			rate := float64(q.written.Load()-before) / during.Seconds() / mib
			t.Logf("first after %v: a read takes %v; %.1f MiB/s are carried", after, median, rate)
			if median > 3*50*time.Millisecond || rate < 10 {
				t.Errorf("first after %v: a read takes %v; %.1f MiB/s are carried", after, median, rate)
			}
			r.end()
		}
	}
	for _, after := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond, 75 * time.Millisecond, 210 * time.Millisecond} {
		t.Run("known alone", func(t *testing.T) { synctest.Test(t, check(true, after)) })
		t.Run("known only beside", func(t *testing.T) { synctest.Test(t, check(false, after)) })
	}
}

// While nobody reads the destager has all the transfers that it may, soon after the last read too.
func TestTheDestagerHasAllTransfersWhileNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, q := backlogged(t)
		r.run()
		reads(r, 2*time.Second)
		q.most.Store(0)
		time.Sleep(5 * time.Second)
		if n := q.most.Load(); n != defaultParallel {
			t.Errorf("%d at a time", n)
		}
		r.end()
	})
}

// When room gets short writes wait for the destager as reads do: it has a part of its transfers whatever those take.
func TestReadsDoNotStarveTheDestagerWhenRoomIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, q := backlogged(t)
		r.run()
		reads(r, 4*time.Second)
		r.log.mu.Lock()
		r.log.capacity = r.log.used * 10 / 9
		r.log.mu.Unlock()
		r.write(0, of('b', blk))
		q.most.Store(0)
		reads(r, time.Second)
		if n := q.most.Load(); n < defaultParallel/pressed {
			t.Errorf("%d at a time", n)
		}
		r.end()
	})
}

// The read that came first, beside fewer transfers than there may be, is no measure for those that come later.
func TestTheFirstReadBesideTransfersIsNoMeasure(t *testing.T) {
	var r rate
	r.start(defaultParallel)
	r.took(100*time.Millisecond, time.Now(), 2)
	for range 200 {
		n := int(r.borne)
		r.took(time.Duration(n)*50*time.Millisecond, time.Now(), n)
	}
	if n := int(r.borne); n > patience {
		t.Errorf("%d at a time, of which each makes a read wait 50 ms", n)
	}
}
