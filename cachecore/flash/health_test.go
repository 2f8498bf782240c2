package flash

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

var errBroken = errors.New("it is broken")

// fails has the device fail from now on, and counts what it is asked afterwards.
func (r *rig) fails() (asked *atomic.Int32) {
	asked = new(atomic.Int32)
	r.twin.OnCall(func(devicetest.Call) devicetest.Fault {
		asked.Add(1)
		return devicetest.Fault{Err: errBroken}
	})
	return asked
}

func TestG3_AFailedDeviceIsCondemnedOnceWhoeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, asked := make(chan struct{}), 0
		r := newRig(t, 8, Options{Condemn: func(context.Context) error {
			asked++ // one at a time
			<-gate
			return nil
		}})
		r.cache(keyOf(1), 0, 2*lineBlocks)
		r.spill()
		r.fails()
		var through atomic.Int32
		for b := range cachecore.Block(8) {
			go func() {
				if err := r.object(keyOf(1)).Invalidate(bg, b, 1); err != nil {
					t.Error(err)
				}
				through.Add(1)
			}()
			synctest.Wait()
		}
		if n := through.Load(); n != 0 {
			t.Errorf("%d writes go before it is condemned", n)
		}
		close(gate)
		synctest.Wait()
		if n := through.Load(); n != 8 || asked != 1 {
			t.Errorf("%d of 8 writes go, and it is condemned %d times", n, asked)
		}
		_ = r.s.Close(bg)
	})
}

// Each has his own time for it: who condemns, and who waits for him.
func TestWhoCondemnsWaitsNoLongerThanHeWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{Condemn: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		o := r.object(keyOf(1))
		r.cache(keyOf(1), 0, 2*lineBlocks)
		r.spill()
		r.fails()
		start := time.Now()
		took := make([]time.Duration, 2)
		for i, wants := range []time.Duration{5 * time.Second, time.Second} {
			go func() {
				ctx, cancel := context.WithTimeout(bg, wants)
				defer cancel()
				if err := o.Invalidate(ctx, 0, 1); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				took[i] = time.Since(start)
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if took[0] != 5*time.Second || took[1] != time.Second {
			t.Errorf("they wait %v and %v", took[0], took[1])
		}
		_ = r.s.Close(bg)
	})
}

func TestAFailedDeviceIsAskedNothingAnyMore(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 4*lineBlocks)
	r.spill()
	asked := r.fails()
	for range 3 {
		if n := r.check(k, 0, 4*lineBlocks); n != 0 {
			t.Fatalf("%d blocks come from a device that fails", n)
		}
	}
	r.quiet()
	n := asked.Load()
	r.write(k, 0, lineBlocks)
	r.check(k, 0, 4*lineBlocks)
	for what, err := range map[string]error{
		"resized": r.s.Resize(bg, small(minSlots)), "withdrawn": r.s.Withdraw(bg), "closed": r.s.Close(bg),
	} {
		if err == nil {
			t.Errorf("%s in order", what)
		}
	}
	if more := asked.Load() - n; n == 0 || more != 0 {
		t.Errorf("it is asked %d times before the failure is known, and %d times after", n, more)
	}
}

// A tier whose superblocks could not be erased may be opened again: it has not left.
func TestG3_ATierThatCannotLeaveIsCondemned(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 2*lineBlocks)
	r.spill()
	r.fails()
	if err := r.s.Withdraw(bg); err == nil {
		t.Fatal("withdrawn by a device that fails")
	}
	if r.object(k).InvalidateNow(0, 1) {
		t.Error("a write goes at once")
	}
	r.write(k, 0, 1)
	if r.condemned != 1 {
		t.Errorf("condemned %d times before a write", r.condemned)
	}
	_ = r.s.Close(bg)
}

// Until the superblocks are gone a write waits for its mark as ever, also when who wants the tier to leave has given up.
func TestG3_AWriteWaitsForItsMarkWhileTheTierLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		r.cache(k, 0, 2*lineBlocks)
		r.spill()
		release := r.hold(devicetest.WriteDurable)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		left := make(chan error, 1)
		go func() { left <- r.s.Withdraw(ctx) }()
		synctest.Wait()
		for b, when := range []string{"while it leaves", "though it has not left"} {
			if r.object(k).InvalidateNow(cachecore.Block(b), 1) || !r.waits(k, cachecore.Block(b), 1) {
				t.Errorf("a write goes %s, and a power cut would undo it", when)
			}
			if b == 0 {
				if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
		}
		release()
		synctest.Wait()
		if err := r.s.Withdraw(bg); err != nil {
			t.Error(err)
		}
	})
}

// Who uses a tier that leaves is waited for, and nothing is found meanwhile.
func TestATierLeavesOnceNobodyUsesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		r.cache(k, 0, 2*lineBlocks)
		batch := r.object(k).PrepareHot(2*lineBlocks, 1)
		left := make(chan error, 1)
		go func() { left <- r.s.Withdraw(bg) }()
		synctest.Wait()
		if len(left) != 0 {
			t.Fatal("it has left while a batch is out")
		}
		found := r.object(k).Contains(0, 2*lineBlocks)
		if n := r.check(k, 0, 2*lineBlocks); n != 0 || found.count() != 0 {
			t.Errorf("%d blocks are read, and %d said to be here", n, found.count())
		}
		r.fill(batch.Bytes(0), k, 2*lineBlocks)
		batch.Publish()
		if err := <-left; err != nil {
			t.Fatal(err)
		}
	})
}
