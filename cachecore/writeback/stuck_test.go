package writeback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// What is held until the array has everything is told so if the array refuses that, or is away, and goes on when it takes it: be the log found damaged
// before the destager tries, or fail while it tries again and again.
func TestWritesThatAreHeldForAnArrayThatTakesNothingAreTold(t *testing.T) {
	for name, c := range map[string]struct{ trouble, want error }{
		"full": {cachecore.ErrNoSpace, cachecore.ErrNoSpace}, "medium error": {errors.New("medium error"), cachecore.ErrNoSpace},
		"away": {cachecore.ErrUnavailable, cachecore.ErrUnavailable},
	} {
		for when, fail := range map[string]func(r *rig){
			"from the beginning": func(r *rig) {
				r.Damaged(errors.New("record 7 can't be read"))
				r.run()
			},
			"meanwhile": func(r *rig) {
				r.run()
				time.Sleep(time.Minute)
				r.log.mu.Lock()
				defer r.log.mu.Unlock()
				r.log.fail = errors.New("i/o error")
			},
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, Back)
					r.write(0, of('a', blk))
					r.mem.Intercept(writesFail(c.trouble))
					fail(r)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if err := r.WriteAt(ctx, of('b', blk), blk, cachecore.WriteOptions{}); !errors.Is(err, c.want) {
						t.Errorf("a write: %v", err)
					}
					r.mem.Intercept(nil)
					time.Sleep(2 * retryRefuse)
					r.write(blk, of('b', blk))
					r.onArray(0, append(of('a', blk), of('b', blk)...))
					r.end()
				})
			})
		}
	}
}

// An operator who waits for the array is told that it refuses something, and not that it is away, which may pass.
func TestADrainSaysWhatTheArrayRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.write(0, of('a', blk))
		r.mem.Intercept(writesFail(cachecore.ErrUnavailable))
		r.run()
		done := make(chan error)
		go func() { done <- r.Drain(t.Context()) }()
		time.Sleep(time.Minute)
		select {
		case err := <-done:
			t.Fatalf("it is away, and the drain ends with %v", err)
		default:
		}
		r.mem.Intercept(writesFail(cachecore.ErrNoSpace))
		if err := <-done; !errors.Is(err, cachecore.ErrNoSpace) {
			t.Errorf("drain: %v", err)
		}
		r.end()
	})
}

func writesFail(err error) arraytest.Interceptor {
	return func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
		if op.Kind == arraytest.Write {
			return err
		}
		return nil
	}
}

// Without room a write is told why there will be none, and the status too; both forget that when the array takes what it is sent.
func TestWhoWaitsForRoomIsToldWhyThereIsNone(t *testing.T) {
	for name, trouble := range map[string]error{"full": cachecore.ErrNoSpace, "away": cachecore.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const share = 16 * (blk + overhead)
				r := newRig(t, Back, func(o *Options) { o.Cap = share })
				for i := int64(0); r.Status().Dirty < share; i++ {
					r.write(i*blk, of('a', blk))
				}
				r.mem.Intercept(writesFail(trouble))
				r.run()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := r.WriteAt(ctx, of('b', blk), 0, cachecore.WriteOptions{})
				if full := errors.Is(trouble, cachecore.ErrNoSpace); !errors.Is(err, trouble) || errors.Is(err, cachecore.ErrNoSpace) != full {
					t.Errorf("a write: %v", err)
				}
				if r.Status().Reason == "" {
					t.Error("the status tells of nothing")
				}
				r.mem.Intercept(nil)
				time.Sleep(2 * retryRefuse)
				if why := r.Status().Reason; why != "" {
					t.Errorf("the status still says: %s", why)
				}
				r.write(0, of('b', blk))
				r.end()
			})
		})
	}
}

// What kept the mode from changing is no news when it has changed.
func TestTheStatusForgetsWhyWriteThroughCouldNotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.ledger.fail = errors.New("away")
		r.run()
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := r.Status(); s.Effective != Draining || s.Reason == "" {
			t.Errorf("%+v", s)
		}
		r.ledger.mu.Lock()
		r.ledger.fail = nil
		r.ledger.mu.Unlock()
		time.Sleep(time.Minute)
		if s := r.Status(); s.Effective != Through || s.Reason != "" {
			t.Errorf("%+v", s)
		}
		r.end()
	})
}

// A client whose durable writes can't be answered, as the log doesn't last and the array is away, gives them up and writes again, for as long as that
// takes: reads don't look into an interval for each.
func TestWritesThatAreGivenUpAndComeAgainMakeNoMoreIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back, func(o *Options) { o.Durable, o.IntervalAge = false, time.Hour })
		r.mem.Intercept(writesFail(cachecore.ErrUnavailable))
		r.run()
		for i := range 10 * maxIntervals {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			err := r.WriteAt(ctx, of(byte(i), blk), int64(i%7)*blk, cachecore.WriteOptions{FUA: true})
			if cancel(); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("write %d: %v", i, err)
			}
		}
		r.mu.Lock()
		n := len(r.mu.intervals)
		r.mu.Unlock()
		if n > maxIntervals {
			t.Errorf("%d intervals", n)
		}
		r.mem.Intercept(nil)
		began := time.Now()
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the flush took %v", took)
		}
		r.mem.Crash(nil)
		for i := 10*maxIntervals - 7; i < 10*maxIntervals; i++ {
			r.onArray(int64(i%7)*blk, of(byte(i), blk))
		}
		r.end()
	})
}
