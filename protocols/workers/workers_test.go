package workers_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"weak"

	"forebay/protocols/workers"
)

func TestACallWaitsForNoOtherAndWorkersAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 8
		var under, most, ran atomic.Int32
		leave := make(chan bool)
		p := workers.New(func(wait bool) {
			ran.Add(1)
			if now := under.Add(1); now > most.Load() {
				most.Store(now)
			}
			if wait {
				<-leave
			}
			under.Add(-1)
		})
		for range calls {
			p.Do(true)
			synctest.Wait()
		}
		if n := most.Load(); n != calls {
			t.Errorf("%d calls at a time", n)
		}
		close(leave)
		synctest.Wait()
		before := ran.Load()
		allocated := testing.AllocsPerRun(100, func() {
			p.Do(false)
			synctest.Wait()
		})
		if ran.Load() < before+100 || allocated > 0 {
			t.Errorf("%d calls ran, %f allocations each: a new worker", ran.Load()-before, allocated)
		}
		p.Close() // the bubble ends when they have
	})
}

func TestABusyTimeLeavesFewWorkersBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls, few = 200, 32
		before := runtime.NumGoroutine()
		leave := make(chan bool)
		p := workers.New(func(int) { <-leave })
		for i := range calls {
			p.Do(i)
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n < calls {
			t.Errorf("%d workers for %d calls", n, calls)
		}
		close(leave)
		synctest.Wait()
		left := calls
		for range 1000 { // one that has ended is counted for a moment yet
			if left = runtime.NumGoroutine() - before; left <= few {
				break
			}
			runtime.Gosched()
		}
		if left > few {
			t.Errorf("%d workers are left behind", left)
		}
		p.Close()
	})
}

func TestAnIdleWorkerKeepsNothingOfItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := workers.New(func(call *[1 << 16]byte) { call[0]++ })
		call := new([1 << 16]byte)
		kept := weak.Make(call)
		p.Do(call)
		synctest.Wait()
		runtime.KeepAlive(call)
		runtime.GC()
		if kept.Value() != nil {
			t.Error("it keeps a call that has ended")
		}
		p.Close()
	})
}
