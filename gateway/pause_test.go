package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/gateway/api"
)

// operated runs a test within a bubble, with two volumes that are written back, of which the first one's destager runs.
func operated(t *testing.T, test func(t *testing.T, x *logged, b *back)) {
	synctest.Test(t, func(t *testing.T) {
		x := newLogged(t)
		x.destage("vol1")
		test(t, x, x.disks["vol1"].back)
	})
}

// later is the mode of vol1 some time later.
func (x *logged) later(d time.Duration, want writeback.Mode) {
	x.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := x.mode("vol1"); got != want {
		x.t.Errorf("%v later it is %v, want %v", d, got, want)
	}
}

func (x *logged) pause(ttl time.Duration) {
	x.t.Helper()
	if err := x.gateway.PauseWriteback(x.t.Context(), "vol1", ttl); err != nil {
		x.t.Fatal(err)
	}
}

// A pause is shown as one: the policy is what it was, and why it is not in effect is said.
func TestStatusTellsOfAPause(t *testing.T) {
	operated(t, func(t *testing.T, x *logged, b *back) {
		expect := func(requested, effective, reason string) {
			t.Helper()
			synctest.Wait()
			var v api.Volume
			if b.states(&v); v.Requested != requested || v.Effective != effective || v.Reason != reason {
				t.Errorf("%+v", v)
			}
		}
		x.pause(30 * time.Minute)
		time.Sleep(time.Minute)
		expect("write-back", "write-through", "write-back is paused for another 29m0s")
		if err := x.gateway.SetWrite(t.Context(), "vol1", configs.WriteThrough); err != nil {
			t.Fatal(err)
		}
		expect("write-through", "write-through", "")
		if err := x.gateway.SetWrite(t.Context(), "vol1", configs.WriteBack); err != nil {
			t.Fatal(err)
		}
		x.pause(0)
		expect("write-back", "write-back", "")
	})
}

func TestAPauseOfWriteBackEndsByItself(t *testing.T) {
	operated(t, func(t *testing.T, x *logged, b *back) {
		x.write("vol1", 0, 'a')
		x.pause(30 * time.Minute)
		x.later(time.Minute, writeback.Through)
		x.expectBlock("vol1", 0, 'a', 'a')
		x.write("vol1", 0, 'b')
		x.expectBlock("vol1", 0, 'b', 'b')
		x.later(28*time.Minute, writeback.Through)
		if left := b.status().PausedSeconds; left != 60 {
			t.Errorf("%v s are left", left)
		}
		x.later(time.Minute, writeback.Back)
		x.write("vol1", 0, 'c')
		x.expectBlock("vol1", 0, 'c', 'b')
		x.expectModes(writeback.Back, writeback.Back)
	})
}

func TestTheLastPauseCounts(t *testing.T) {
	for name, c := range map[string]struct {
		last, ends time.Duration
	}{"longer": {30 * time.Minute, 30 * time.Minute}, "shorter": {time.Minute, time.Minute}, "none": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			operated(t, func(t *testing.T, x *logged, b *back) {
				x.pause(10 * time.Minute)
				x.later(5*time.Minute, writeback.Through)
				x.pause(c.last)
				if c.ends > 0 {
					x.later(c.ends-time.Second, writeback.Through)
				}
				x.later(time.Second, writeback.Back)
				if left := b.status().PausedSeconds; left != 0 {
					t.Errorf("%v s are left", left)
				}
				x.later(time.Hour, writeback.Back)
			})
		})
	}
}

func TestAPolicyThatIsSetInAPauseBeginsWithItsEnd(t *testing.T) {
	for word, want := range map[string]writeback.Mode{configs.WriteThrough: writeback.Through, configs.WriteBack: writeback.Back, "": writeback.Back} {
		t.Run(want.String()+word, func(t *testing.T) {
			operated(t, func(t *testing.T, x *logged, b *back) {
				x.pause(10 * time.Minute)
				x.later(time.Minute, writeback.Through)
				if err := x.gateway.SetWrite(t.Context(), "vol1", word); err != nil {
					t.Fatal(err)
				}
				x.later(8*time.Minute, writeback.Through)
				x.later(2*time.Minute, want)
			})
		})
	}
}

func TestAPauseEndsWhenTheControlPlaneTakesIt(t *testing.T) {
	operated(t, func(t *testing.T, x *logged, b *back) {
		var away atomic.Bool
		away.Store(true)
		b.store = &asked{Store: x.store, change: func() error {
			if away.Load() {
				return errBoom
			}
			return nil
		}}
		x.pause(time.Minute)
		x.later(5*time.Minute, writeback.Through)
		away.Store(false)
		x.later(2*time.Second, writeback.Back)
		x.expectRecord("vol1", x.pool.log.named(), 0)
	})
}

func TestAPauseThatCanNotBeEndedYetEnds(t *testing.T) {
	operated(t, func(t *testing.T, x *logged, b *back) {
		var away atomic.Bool
		b.store = &asked{Store: x.store, change: func() error {
			if away.Load() {
				return errBoom
			}
			return nil
		}}
		x.pause(10 * time.Minute)
		x.later(time.Minute, writeback.Through)
		away.Store(true)
		if err := x.gateway.PauseWriteback(t.Context(), "vol1", 0); !errors.Is(err, errBoom) {
			t.Error(err)
		}
		away.Store(false)
		x.later(20*time.Minute, writeback.Back)
		x.expectRecord("vol1", x.pool.log.named(), 0)
	})
}

func TestADrainReturnsWhenTheArrayHasWhatWasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newLogged(t)
		x.write("vol1", 0, 'a')
		drained := make(chan error, 1)
		go func() { drained <- x.gateway.Drain(context.Background(), "vol1") }()
		synctest.Wait()
		if len(drained) > 0 {
			t.Error("it returns before")
		}
		x.destage("vol1")
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
		x.expectBlock("vol1", 0, 'a', 'a')
		x.expectModes(writeback.Back, writeback.Back)
	})
}

func TestABarrierKeepsTheArrayAsItIsUntilItIsReleased(t *testing.T) {
	operated(t, func(t *testing.T, x *logged, b *back) {
		x.write("vol1", 0, 'a')
		if err := x.gateway.Barrier(t.Context(), "vol1", time.Hour); err != nil {
			t.Fatal(err)
		}
		x.expectBlock("vol1", 0, 'a', 'a')
		x.write("vol1", 0, 'b')
		x.later(30*time.Minute, writeback.Back)
		x.expectBlock("vol1", 0, 'b', 'a')
		if !b.status().Held {
			t.Error("the status doesn't tell")
		}
		if err := x.gateway.Barrier(t.Context(), "vol1", 0); err != nil {
			t.Fatal(err)
		}
		x.later(time.Minute, writeback.Back)
		x.expectBlock("vol1", 0, 'b', 'b')
	})
}

func TestB8_WriteBackToALogInRAMIsForTheConfigurationToSay(t *testing.T) {
	x := newLogged(t)
	x.end()
	x.path = ""
	x.start()
	b := x.disks["vol1"].back
	b.configured = writeback.Through
	x.destage("vol1")
	if err := b.setWrite(t.Context(), configs.WriteThrough); err != nil {
		t.Fatal(err)
	}
	if err := b.setWrite(t.Context(), configs.WriteBack); !errors.Is(err, api.ErrRefused) {
		t.Errorf("write-back, which was never said to survive nothing: %v", err)
	}
	if word, err := x.store.Policy(t.Context(), "vol1"); word != configs.WriteThrough {
		t.Errorf("it is kept all the same: %q, %v", word, err)
	}
}

// What an operator has said of a log that lasts is not said of one in RAM, which a configuration may have in its place by the next start.
func TestB8_WriteBackThatWasSetBeforeIsNotTakenUpByALogInRAM(t *testing.T) {
	for configured, want := range map[string]writeback.Mode{configs.WriteThrough: writeback.Through, configs.WriteBack: writeback.Back} {
		t.Run(configured, func(t *testing.T) {
			x := newLogged(t)
			x.end()
			x.path = ""
			x.start()
			if err := x.store.SetPolicy(t.Context(), "vol3", configs.WriteBack); err != nil {
				t.Fatal(err)
			}
			c := volumeConfig(fail)
			c.Name, c.Policy.Write = "vol3", configured
			b, _, err := x.gateway.newBack(t.Context(), c, x.pool, x.mems["vol1"], [16]byte{3})
			if err != nil {
				t.Fatal(err)
			}
			if s := b.Status(); s.Effective != want || s.Requested != want {
				t.Errorf("it is %v, and asked to be %v", s.Effective, s.Requested)
			}
		})
	}
}
