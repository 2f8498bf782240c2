package writeback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/arraytest"
)

// held runs a test in a bubble, with a destager that carries what it may at once.
func held(t *testing.T, f func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back, func(o *Options) { o.IntervalAge = time.Millisecond })
		r.run()
		f(t, r)
	})
}

// after is what the array has some time later.
func (r *rig) after(d time.Duration, want []byte) {
	r.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	r.onArray(0, want)
}

func TestABarrierHoldsAnArrayThatLacksNothing(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		if err := r.Barrier(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		r.write(0, of('a', blk))
		r.after(50*time.Second, of(0, blk))
	})
}

func TestAHoldEndsByItself(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		r.write(0, of('a', blk))
		if err := r.Barrier(t.Context(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		r.write(0, of('b', blk))
		r.after(9*time.Second, of('a', blk))
		if !r.Status().Held {
			t.Error("the status doesn't tell of the hold")
		}
		r.after(2*time.Second, of('b', blk))
		if r.Status().Held {
			t.Error("the status tells of a hold that is over")
		}
	})
}

func TestABarrierThatIsGivenUpHoldsNothing(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		stop := r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Write, 0))
		r.write(0, of('a', blk))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Barrier(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		<-stop.Arrived()
		stop.Release(nil)
		r.write(0, of('b', blk))
		r.after(time.Second, of('b', blk))
	})
}

// A snapshot script and an operator, say: neither knows of the other.
func TestAShorterBarrierEndsNoOthersHold(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		r.write(0, of('a', blk))
		for _, hold := range []time.Duration{time.Minute, time.Second} {
			if err := r.Barrier(t.Context(), hold); err != nil {
				t.Fatal(err)
			}
		}
		r.write(0, of('b', blk))
		r.after(50*time.Second, of('a', blk))
		r.after(11*time.Second, of('b', blk))
	})
}

func TestABarrierThatIsGivenUpEndsNoOthersHold(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		if err := r.Barrier(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		r.write(0, of('a', blk))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Barrier(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a barrier behind another one's hold: %v", err)
		}
		r.after(50*time.Second, of(0, blk))
	})
}

// The later one comes while the first waits for the array: its writes are not what the first was promised.
func TestABarrierHoldsBeforeALaterOnesWrites(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		stop := r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Write, 0))
		r.write(0, of('a', blk))
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- r.Barrier(t.Context(), time.Minute) }()
		<-stop.Arrived()
		synctest.Wait()
		r.write(0, of('b', blk))
		go func() { second <- r.Barrier(t.Context(), time.Minute) }()
		synctest.Wait()
		stop.Release(nil)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		r.after(50*time.Second, of('a', blk))
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		r.onArray(0, of('b', blk))
	})
}

// Draining that begins during a hold gets no further before that is over: until then writes are logged, and wait for nothing (PROTOCOL B5).
func TestB5_NoWriteWaitsForTheEndOfAHold(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
			if op.Kind == arraytest.Write && at == arraytest.Before {
				time.Sleep(10 * time.Millisecond) // so that a rate is known
			}
			return nil
		})
		r.write(0, of('a', mib))
		if err := r.Barrier(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		r.write(0, of('b', blk))
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		began := time.Now()
		r.write(blk, of('c', blk))
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a write took %v", took)
		}
		r.onArray(0, of('a', 2*blk))
		time.Sleep(time.Minute)
		if r.state() != Through {
			t.Errorf("%v after the hold", r.state())
		}
		r.onArray(0, append(of('b', blk), of('c', blk)...))
	})
}
