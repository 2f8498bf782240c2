package writeback

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// slow is an array that takes so many bytes a second, one transfer after the other.
type slow struct {
	*arraytest.Mem
	one  chan struct{} // who has it transfers
	rate int64
}

func (s *slow) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	s.one <- struct{}{}
	defer func() { <-s.one }()
	time.Sleep(time.Duration(int64(len(p)) * int64(time.Second) / s.rate))
	return s.Mem.WriteAt(ctx, p, off, o)
}

// Much is dirty over a slow array, and clients go on while it is drained: no write waits for the backlog (PROTOCOL B5).
func TestB5_NoWriteWaitsForTheBacklogWhileItIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dirty, rate = 256 * mib, 20 * mib
		r := newRig(t, Back, func(o *Options) {
			o.Array = &slow{Mem: arraytest.NewMem(cachecore.ArrayInfo{Size: dirty, WriteCache: true}), one: make(chan struct{}, 1), rate: rate}
		})
		r.log.capacity = 4 * dirty
		for off := int64(0); off < dirty; off += 64 << 10 {
			r.write(off, of('a', 64<<10))
		}
		r.run()
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		longest, writes := time.Duration(0), 0
		for start := time.Now(); r.state() != Through; writes++ {
			began := time.Now()
			r.write(int64(writes)%(dirty/blk)*blk, of('b', blk))
			longest = max(longest, time.Since(began))
			if time.Since(start) > 5*time.Minute {
				t.Fatalf("it is not drained after %v: %+v", time.Since(start), r.Status())
			}
		}
		t.Logf("%d writes meanwhile, the longest took %v", writes, longest)
		if longest > 3*time.Second {
			t.Errorf("a write took %v", longest)
		}
		r.end()
	})
}

// Of what a client zeroes and gives back there are no data by which the array's rate would be known: draining ends all the same while it goes on.
func TestB5_DrainingEndsUnderAStreamOfRecordsWithoutData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
			if op.Kind != arraytest.Flush && at == arraytest.Before {
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		})
		r.run()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for i := range int64(4) {
			all.Go(func() {
				for n := int64(0); ctx.Err() == nil && r.state() != Through; n++ {
					_ = r.Unmap(ctx, (n%16*4+i)*blk, blk)
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		if r.state() != Through {
			t.Errorf("it is not drained: %+v", r.Status())
		}
		r.end()
	})
}
