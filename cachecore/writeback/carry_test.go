package writeback

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writelog"
)

// operations notes what the array is asked, from now on.
func (r *rig) operations() func() []arraytest.Op {
	var mu sync.Mutex
	var list []arraytest.Op
	r.mem.Intercept(func(_ context.Context, op arraytest.Op, when arraytest.Stage) error {
		if when == arraytest.Before {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, op)
		}
		return nil
	})
	return func() []arraytest.Op {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func TestAnIntervalIsCarriedInOrderOfAddress(t *testing.T) {
	r := newRig(t, Back, func(o *Options) { o.Parallel = 1 })
	for i := range 100 {
		r.write(int64(i*37%100)*2*blk, of(byte(i), blk))
	}
	asked := r.operations()
	r.run()
	r.settled()
	var offs []int64
	for _, op := range asked() {
		if op.Kind == arraytest.Write {
			offs = append(offs, op.Off)
		}
	}
	if len(offs) != 100 || !slices.IsSorted(offs) {
		t.Errorf("%d writes, at %v", len(offs), offs)
	}
}

func TestE5_AnUnmapOfAnEarlierLifeIsZerosOnAnArrayThatUnmapsOtherwiseNow(t *testing.T) {
	r := newRig(t, Back)
	if err := r.mem.WriteAt(t.Context(), of('x', blk), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Unmap(t.Context(), 0, blk); err != nil {
		t.Fatal(err)
	}
	info := r.mem.Info()
	info.UnmapZeroes = false
	r.mem = arraytest.NewMem(info)
	if err := r.mem.WriteAt(t.Context(), of('x', blk), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.restart(Back)
	r.run()
	r.settled()
	r.onArray(0, of(0, blk))
}

func TestZeroesKeepTheirSpaceUnlessItIsToBeGivenBack(t *testing.T) {
	r := newRig(t, Back)
	for i, unmap := range []bool{false, true} {
		if err := r.WriteZeroes(t.Context(), int64(i)*mib, blk, unmap); err != nil {
			t.Fatal(err)
		}
	}
	asked := r.operations()
	r.run()
	r.settled()
	for _, op := range asked() {
		if op.Kind == arraytest.Unmap && op.Off != mib || op.Kind == arraytest.Zero && op.Off != 0 {
			t.Errorf("%v at %d", op.Kind, op.Off)
		}
	}
	if kinds := []writelog.Kind{r.log.records[0].Kind, r.log.records[1].Kind}; !slices.Equal(kinds, []writelog.Kind{writelog.Zero, writelog.Unmap}) {
		t.Errorf("records of %v", kinds)
	}
}

// newBareRig is newRig over an array that promises no zeros where it is unmapped.
func newBareRig(t *testing.T, mode Mode) *rig {
	t.Helper()
	r := newRig(t, mode)
	info := r.mem.Info()
	info.UnmapZeroes = false
	r.mem = arraytest.NewMem(info)
	r.restart(mode)
	return r
}

// An unmap that leaves anything there is not logged: it must not be followed by what was acknowledged before it.
func TestAnUnmapWithoutZerosWaitsForWhatWasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newBareRig(t, Back)
		r.write(0, of('a', blk))
		asked, done := r.operations(), make(chan error, 1)
		go func() { done <- r.Unmap(context.Background(), 0, blk) }()
		synctest.Wait()
		if list := asked(); len(list) > 0 {
			t.Errorf("the array is asked at once: %v", list[0].Kind)
		}
		r.run()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if list := asked(); list[len(list)-1].Kind != arraytest.Unmap || r.log.trimmed != 1 {
			t.Errorf("the array is asked for %v at last, and trimmed is record %d", list[len(list)-1].Kind, r.log.trimmed)
		}
	})
}

// Nor is it waited for while the array is away, be there something to be carried before or not: writes, which go on, would wait for it. It is left undone.
func TestAnUnmapWithoutZerosIsLeftUndoneWhileTheArrayIsAway(t *testing.T) {
	for name, dirty := range map[string]bool{"behind what was acknowledged": true, "with nothing acknowledged": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newBareRig(t, Back)
				r.mem.Intercept(func(context.Context, arraytest.Op, arraytest.Stage) error { return cachecore.ErrUnavailable })
				r.run()
				if dirty {
					r.write(0, of('a', blk))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := r.Unmap(ctx, 0, blk); !errors.Is(err, cachecore.ErrUnsupported) || errors.Is(err, cachecore.ErrUnavailable) {
					t.Error(err)
				}
				r.mem.Intercept(nil)
				time.Sleep(time.Second)
				if err := r.Unmap(ctx, blk, blk); err != nil {
					t.Errorf("when it is back: %v", err)
				}
				if dirty {
					r.onArray(0, of('a', blk))
				}
			})
		})
	}
}

// In write-through the array is all there is: its absence is told, so that the call is held as others are.
func TestAnUnmapWithoutZerosIsHeldInWriteThrough(t *testing.T) {
	r := newBareRig(t, Through)
	r.mem.Intercept(func(context.Context, arraytest.Op, arraytest.Stage) error { return cachecore.ErrUnavailable })
	if err := r.Unmap(t.Context(), 0, blk); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Error(err)
	}
}

// A reader still looks where an interval says, which the array has by now: the log keeps it, and who drains waits, lest a replay undo what he does next.
func TestADrainWaitsUntilTheLogForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back, func(o *Options) { o.IntervalAge = time.Millisecond })
		r.write(0, of('a', blk))
		read := r.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Read })
		got, end := make([]byte, 2*blk), make(chan error, 1)
		go func() { end <- r.ReadAt(context.Background(), got, 0) }()
		<-read.Arrived()
		r.run()
		time.Sleep(time.Second)
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(context.Background()) }()
		synctest.Wait()
		if r.log.trimmed != 0 || len(drained) > 0 {
			t.Errorf("trimmed is record %d, and drained %d times", r.log.trimmed, len(drained))
		}
		read.Release(nil)
		if err := errors.Join(<-end, <-drained); err != nil || got[0] != 'a' {
			t.Errorf("it reads as %q, %v", got[0], err)
		}
		if r.log.trimmed != 1 {
			t.Errorf("trimmed is record %d", r.log.trimmed)
		}
	})
}

func TestALogThatFailsInWriteThroughHoldsNoWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Through)
		r.logFailed(errors.New("i/o error"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // there is no destager to let it go on
		defer cancel()
		if err := r.WriteAt(ctx, of('a', blk), 0, cachecore.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		r.onArray(0, of('a', blk))
		if err := r.SetMode(Back); err == nil {
			t.Error("write-back begins on a log that has failed")
		}
	})
}

func TestALogThatHasFailedIsNotGoneBackTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.write(0, of('a', blk))
		r.logFailed(errors.New("i/o error"))
		r.run()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.WriteAt(ctx, of('b', blk), blk, cachecore.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		r.onArray(0, append(of('a', blk), of('b', blk)...))
		if s := r.Status(); s.Requested != Back || s.Effective != Through || s.Reason == "" {
			t.Errorf("%+v", s)
		}
	})
}

// Write-back that is asked for again while writes are held for the end of draining goes on when that has come.
func TestB5_WriteBackIsGoneBackToWhenDrainingHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.ledger.fail = errors.New("away")
		r.run()
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // writes are held, and the base can't be raised
		if err := r.SetMode(Back); err != nil {
			t.Fatal(err)
		}
		r.ledger.mu.Lock()
		r.ledger.fail = nil
		r.ledger.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.WriteAt(ctx, of('a', blk), 0, cachecore.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		r.onArray(0, of(0, blk))
		if r.state() != Back {
			t.Errorf("%v", r.state())
		}
	})
}

// The array goes away while writes are held for what is left: write-back that is asked for then doesn't wait for it, as the base is what it was.
func TestB5_WriteBackIsGoneBackToWhileTheArrayIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		var away atomic.Bool
		r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
			if op.Kind == arraytest.Write && at == arraytest.Before {
				time.Sleep(10 * time.Millisecond) // so that a rate is known, and it takes little time to carry the rest
			}
			if away.Load() {
				return cachecore.ErrUnavailable
			}
			return nil
		})
		r.run()
		r.write(0, of('a', mib))
		r.settled()
		away.Store(true)
		r.write(0, of('b', blk))
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		held := r.WriteAt(t.Context(), of('c', blk), blk, cachecore.WriteOptions{})
		base := r.ledger.base()
		if err := r.SetMode(Back); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteAt(t.Context(), of('c', blk), blk, cachecore.WriteOptions{}); held == nil || err != nil {
			t.Errorf("writes were held: %v; afterwards: %v", held, err)
		}
		away.Store(false)
		r.settled()
		r.onArray(0, append(of('b', blk), of('c', blk)...))
		if now := r.ledger.base(); r.state() != Back || now != base {
			t.Errorf("%v, the base is %d, was %d", r.state(), now, base)
		}
		r.end()
	})
}

func TestB5_DrainingWaitsForNoInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back, func(o *Options) { o.IntervalAge = time.Hour })
		r.run()
		r.write(0, of('a', blk))
		began := time.Now()
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		r.write(blk, of('b', blk))
		r.write(2*blk, of('c', blk))
		synctest.Wait()
		time.Sleep(time.Second)
		if took := time.Since(began); r.state() != Through || took > time.Minute {
			t.Errorf("%v after %v", r.state(), took)
		}
		r.onArray(0, slices.Concat(of('a', blk), of('b', blk), of('c', blk)))
	})
}

func TestTheStatusTellsHowLongItTakesToCarryWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 7 * blk
		r := newRig(t, Back)
		r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
			if op.Kind == arraytest.Write && at == arraytest.Before {
				time.Sleep(time.Second)
			}
			return nil
		})
		r.run()
		r.write(0, of('a', size))
		r.settled()
		r.end()
		if s := r.Status(); s.Dirty != 0 || s.Left != 0 || s.Oldest != 0 {
			t.Errorf("with nothing: %+v", s)
		}
		r.write(0, of('b', size))
		time.Sleep(3 * time.Second)
		if s := r.Status(); s.Dirty < size || s.Left < time.Second || s.Left > 11*time.Second/10 || s.Oldest != 3*time.Second {
			t.Errorf("%+v", s)
		}
	})
}

// What the array did not clear, or cut off, is asked for again; the log keeps it until then.
func TestWhatTheArrayFailsToClearIsClearedAgain(t *testing.T) {
	const n = objectBlocks * blk
	for name, c := range map[string]struct {
		change func(r *rig) error
		fails  arraytest.Kind
	}{
		"zeros": {func(r *rig) error { return r.WriteZeroes(r.t.Context(), blk, n-blk, false) }, arraytest.Zero},
		"unmap": {func(r *rig) error { return r.Unmap(r.t.Context(), blk, n-blk) }, arraytest.Unmap},
		"end":   {func(r *rig) error { return r.Resize(r.t.Context(), blk, n-blk, noDirect) }, arraytest.Zero},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Back, ofObjects)
				if err := r.mem.WriteAt(t.Context(), of('x', n), 0, cachecore.WriteOptions{}); err != nil {
					t.Fatal(err)
				}
				if err := c.change(r); err != nil {
					t.Fatal(err)
				}
				failed := false
				r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
					if op.Kind != c.fails || at != arraytest.Before || failed {
						return nil
					}
					failed = true
					return cachecore.ErrUnavailable
				})
				r.run()
				r.settled()
				r.end()
				r.mem.Intercept(nil)
				if !failed {
					t.Error("the array was not asked")
				}
				r.onArray(0, append(of('x', blk), of(0, n-blk)...))
			})
		})
	}
}

// A log that can't be told what the array has would bring it again after a crash: who drains waits until that is void by the base.
func TestADrainWaitsForTheBaseWhereTheLogCannotForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.write(0, of('a', blk))
		r.log.fail, r.ledger.fail = errors.New("i/o error"), errors.New("away")
		r.run()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(ctx) }()
		time.Sleep(10 * time.Second)
		r.onArray(0, of('a', blk))
		if len(drained) > 0 {
			t.Fatalf("drained: %v", <-drained)
		}
		r.ledger.mu.Lock()
		r.ledger.fail = nil
		r.ledger.mu.Unlock()
		if err := <-drained; err != nil {
			t.Error(err)
		}
		r.end()
	})
}
