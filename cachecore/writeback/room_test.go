package writeback

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writelog"
)

// A volume fills its own share of a log that it has with others, and no more; its writes wait then, and fail when who sent them gives up.
func TestB9_AVolumeFillsNoMoreThanItsShareOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const share = 4 * mib
		r := newRig(t, Back, func(o *Options) { o.Cap = share })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute/2)
		defer cancel()
		done := make(chan error)
		const writers = 64 // which are let in together at the brim
		for i := range int64(writers) {
			go func() {
				for {
					if err := r.WriteAt(ctx, of('a', 64<<10), i*64<<10, cachecore.WriteOptions{}); err != nil {
						done <- err
						return
					}
				}
			}()
		}
		for range writers {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a write ends with %v", err)
			}
		}
		if dirty := r.Status().Dirty; dirty > share || dirty < share*9/10 {
			t.Errorf("%d bytes of %d", dirty, share)
		}
	})
}

// From 70 % of the room on writes are paced: at first to four times the destager's rate, at 90 % to that.
func TestB9_WritesArePacedAsTheRoomGetsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const share = 32 * mib
		r := newRig(t, Back, func(o *Options) { o.Cap = share })
		r.rate.carried(8*mib, time.Second)
		off := int64(0)
		fillTo := func(part float64) time.Duration {
			began := time.Now()
			for ; float64(r.Status().Dirty) < part*share; off += 16 << 10 {
				r.write(off, of('a', 16<<10))
			}
			return time.Since(began)
		}
		for _, c := range []struct {
			to          float64
			least, most time.Duration
		}{
			{0.69, 0, 0},
			{0.90, 300 * time.Millisecond, 450 * time.Millisecond}, // 6.4 MiB at 32 MiB/s, then less, then 8 MiB/s
			{0.96, 200 * time.Millisecond, 280 * time.Millisecond}, // 1.9 MiB at 8 MiB/s
		} {
			if took := fillTo(c.to); took < c.least || took > c.most {
				t.Errorf("to %.0f %% it takes %v, want %v to %v", 100*c.to, took, c.least, c.most)
			}
		}
	})
}

// A log with room for hours takes writes at the array's rate once what is oldest in it is older than a minute, and at its own again when it is gone.
func TestB9_WritesArePacedWhenWhatTheArrayLacksGetsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		takes := func() time.Duration {
			began := time.Now()
			for i := range int64(64) {
				r.write(i*64<<10, of('a', 64<<10))
			}
			return time.Since(began)
		}
		if took := takes(); took > 0 {
			t.Errorf("fresh: %v", took)
		}
		time.Sleep(2 * maxAge)
		if took, due := takes(), time.Duration(4*mib)*time.Second/assumedRate; took < due*9/10 || took > due*11/10 {
			t.Errorf("old: 4 MiB take %v, by the array's rate %v", took, due)
		}
		r.run()
		r.settled()
		if took := takes(); took > 0 {
			t.Errorf("settled: %v", took)
		}
		r.end()
	})
}

// A room that is small for the array's rate is used again as soon as it is free: no write waits for an interval's time.
func TestAFullRoomIsAsFastAsTheArray(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, total, writers = 20 * mib, 40 * mib, 16
		r := newRig(t, Back, func(o *Options) {
			o.Cap, o.IntervalSize = 2*mib, 32*mib
			o.Array = &slow{Mem: arraytest.NewMem(cachecore.ArrayInfo{Size: 64 * mib, WriteCache: true}), one: make(chan struct{}, 1), rate: rate}
		})
		r.run()
		began := time.Now()
		var all sync.WaitGroup
		for i := range int64(writers) {
			all.Go(func() {
				for off := i * blk; off < total; off += writers * blk {
					r.write(off, of('a', blk))
				}
			})
		}
		all.Wait()
		took, alone := time.Since(began), time.Duration(total)*time.Second/rate
		t.Logf("%v, the array alone %v", took, alone)
		if took > alone*105/100 {
			t.Errorf("%v, the array alone takes %v", took, alone)
		}
		r.end()
	})
}

// A record that the log has no room for after all takes no number with it: the next one would be out of order.
func TestAWriteThatTheLogHasNoRoomForIsLoggedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back)
		r.write(0, of('a', blk))
		r.log.fail = writelog.ErrFull
		written := make(chan error, 1)
		go func() { written <- r.WriteAt(context.Background(), of('b', blk), blk, cachecore.WriteOptions{}) }()
		synctest.Wait()
		if len(written) > 0 || r.state() != Back {
			t.Errorf("it is answered, %v", r.state())
		}
		r.log.mu.Lock()
		r.log.fail = nil
		r.log.mu.Unlock()
		r.run()
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		for i, record := range r.log.records {
			if record.Seq != cachecore.Seq(i+1) {
				t.Errorf("record %d is the %dth", record.Seq, i+1)
			}
		}
		r.end()
	})
}

// A record that is larger than the volume's share is taken when there is no other.
func TestB9_ARecordLargerThanTheShareIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Back, func(o *Options) { o.Cap = 2 * blk })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.WriteAt(ctx, of('a', 4*blk), 0, cachecore.WriteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// The rate is the array's while it is there: after hours without it what has gathered meanwhile is carried, and writes are paced, as before.
func TestB9_TheTimeThatAnArrayWasAwayIsNotItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, gathered = 20 * mib, 40 * mib
		mem := arraytest.NewMem(cachecore.ArrayInfo{Size: 64 * mib, WriteCache: true})
		r := newRig(t, Back, func(o *Options) { o.Array = &slow{Mem: mem, one: make(chan struct{}, 1), rate: rate} })
		mem.Intercept(writesFail(cachecore.ErrUnavailable))
		r.write(0, of('a', blk))
		r.run()
		time.Sleep(time.Second * 3)
		for off := int64(0); off < gathered; off += 64 << 10 {
			r.write(off, of('a', 64<<10))
		}
		time.Sleep(2 * time.Hour)
		mem.Intercept(nil)
		time.Sleep(retryAway + 10*time.Millisecond) // what came first is carried, and the rest is on its way
		began := time.Now()
		for i := range int64(64) {
			r.write(i*64<<10, of('b', 64<<10))
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("4 MiB take %v, the array takes %d MiB a second", took, rate/mib)
		}
		r.end()
	})
}
