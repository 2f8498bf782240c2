package workers_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

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
