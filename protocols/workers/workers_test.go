package workers_test

import (
	"bytes"
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

// working is how many workers there are, in their calls or without. Others of the process, which come and go as they like, are not counted.
func working() int {
	stacks := make([]byte, 4<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("workers.(*Pool[...]).work("))
}

func TestABusyTimeLeavesFewWorkersBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls, few = 200, 32
		leave := make(chan bool)
		p := workers.New(func(int) { <-leave })
		for i := range calls {
			p.Do(i)
		}
		synctest.Wait()
		if n := working(); n < calls {
			t.Errorf("%d workers for %d calls", n, calls)
		}
		close(leave)
		synctest.Wait()
		if n := working(); n > few {
			t.Errorf("%d workers are left behind", n)
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
