package volume

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

const hold = 25 * time.Second

// away makes the array unavailable for some kinds of operations (none: all) until it is called with false.
func (r *rig) away(kinds ...arraytest.Kind) (set func(bool)) {
	var is atomic.Bool
	is.Store(true)
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		concerned := len(kinds) == 0
		for _, k := range kinds {
			concerned = concerned || op.Kind == k
		}
		if concerned && is.Load() && at == arraytest.Before {
			return cachecore.ErrUnavailable
		}
		return nil
	})
	return is.Store
}

// everyCall starts one of each on blocks of their own.
func (r *rig) everyCall(ctx context.Context) map[string]<-chan error {
	return map[string]<-chan error{
		"read":    start(func() error { var c collected; defer c.release(); return r.Read(ctx, &c, 0, 2*blk) }),
		"write":   start(func() error { return r.Write(ctx, of('a', blk), 4*blk, true) }),
		"discard": start(func() error { return r.Discard(ctx, 8*blk, blk, true) }),
		"zero":    start(func() error { return r.WriteZeroes(ctx, 12*blk, blk) }),
		"flush":   start(func() error { return r.Flush(ctx) }),
	}
}

func TestIOIsHeldUntilTheArrayIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{o: Options{OnArrayLoss: hold}})
		set := r.away()
		calls := r.everyCall(context.Background())
		time.Sleep(10 * time.Second)
		set(false)
		start := time.Now()
		r.Wake()
		for name, done := range calls {
			if err := <-done; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v after the array was back", took)
		}
	})
}

func TestIOIsHeldNoLongerThanItIsTo(t *testing.T) {
	for name, kinds := range map[string][]arraytest.Kind{"all away": nil, "reads go on": {arraytest.Write, arraytest.Flush, arraytest.Unmap, arraytest.Zero}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, wishes{o: Options{OnArrayLoss: hold}})
				defer r.away(kinds...)(false)
				calls := r.everyCall(context.Background())
				ended, stop := context.WithCancel(context.Background())
				var reader sync.WaitGroup
				defer reader.Wait()
				defer stop()
				reader.Go(func() { // the array answers that, every time
					for i := int64(0); len(kinds) > 0; i++ {
						select {
						case <-time.After(time.Second):
							_, _ = r.read(mib+i*blk, blk)
						case <-ended.Done():
							return
						}
					}
				})
				begun := time.Now()
				for name, done := range calls {
					if err := <-done; name != "read" && !errors.Is(err, cachecore.ErrUnavailable) {
						t.Errorf("%s: %v", name, err)
					}
				}
				if took := time.Since(begun); took != hold {
					t.Errorf("held for %v", took)
				}
			})
		})
	}
}

// A read is a miss once, however often the array has to be asked for it.
func TestAReadThatIsHeldCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{o: Options{OnArrayLoss: hold}})
		set := r.away()
		read := start(func() error { _, err := r.read(0, 2*blk); return err })
		time.Sleep(hold / 2)
		set(false)
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		if s := r.counts.Snapshot(); s.HitBlocks != 0 || s.MissedBlocks != 2 {
			t.Errorf("%d blocks were there, %d were not", s.HitBlocks, s.MissedBlocks)
		}
	})
}

func TestIOIsNotHeldWhereItIsNotTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		defer r.away()(false)
		begun := time.Now()
		for name, done := range r.everyCall(context.Background()) {
			if err := <-done; !errors.Is(err, cachecore.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("held for %v", took)
		}
	})
}

func TestAHeldCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{o: Options{OnArrayLoss: hold}})
		defer r.away()(false)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begun := time.Now()
		for name, done := range r.everyCall(ctx) {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("held for %v", took)
		}
	})
}

// plain is an array that can't write zeros that it isn't sent.
func plain(m *arraytest.Mem) cachecore.Array { return struct{ cachecore.Array }{m} }

// Buffers are shared with other volumes, and slots too: an array that is away must not take theirs.
func TestWhatIsHeldHoldsNoBufferAndNoPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{buffers: mib, o: Options{OnArrayLoss: hold}, array: plain})
		r.mustWrite(of('a', blk), 2*blk)
		set := r.away()
		var done []<-chan error
		for i := range int64(16) {
			done = append(done, start(func() error { _, err := r.read(i*128*kib, 128*kib); return err }))
			done = append(done, start(func() error { return r.Discard(context.Background(), 2*mib+i*128*kib, 128*kib, true) }))
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if free, pinned := r.buffers.Free(), r.store.Stats().PinnedBytes; free != mib || pinned != 0 {
			t.Errorf("%d bytes of buffers free, %d pinned", free, pinned)
		}
		r.mustHit(2*blk, of('a', blk))
		set(false)
		r.Wake()
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestE3_AHeldWriteWhoseOutcomeIsUnknownInTheEndDropsItsBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{o: Options{OnArrayLoss: hold}})
		r.mustWrite(of('a', 2*blk), 0)
		set := r.away()
		written := start(func() error { return r.Write(context.Background(), of('b', blk), 512, false) })
		time.Sleep(time.Second)
		r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 512)).Release(cachecore.ErrUnknownOutcome)
		set(false)
		r.Wake()
		if err := <-written; !errors.Is(err, cachecore.ErrUnknownOutcome) {
			t.Fatal(err)
		}
		r.mustMiss(0, 512)
		r.mustMiss(blk, 512)
		r.mustRead(0, append(append(of('a', 512), of('b', blk)...), of('a', blk-512)...))
	})
}

// An array that comes back is not known to be as it was: the volume is dropped before it is woken.
func TestG2_AWriteHeldThroughADropMergesIntoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{o: Options{OnArrayLoss: hold}})
		r.mustWrite(of('a', blk), 0)
		set := r.away()
		written := start(func() error { return r.Write(context.Background(), of('b', 512), 512, false) })
		time.Sleep(time.Second)
		set(false)
		r.onArray(of('s', blk), 0)
		r.Drop()
		r.Wake()
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		r.mustRead(0, append(append(of('s', 512), of('b', 512)...), of('s', blk-1024)...))
	})
}
