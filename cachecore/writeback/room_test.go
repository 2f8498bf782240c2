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
