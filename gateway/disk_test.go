package gateway

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/configs"
)

var (
	fail    = configs.OnArrayLoss{}
	hold25s = configs.OnArrayLoss{Hold: 25 * time.Second}
)

// pull takes the array away and has the gateway notice.
func (x *shelf) pull() {
	x.lose("cable pulled")
	go x.a.v.attachment.ReadAt(context.Background(), make([]byte, 512), 0) //nolint:errcheck // whoever asks first
	synctest.Wait()
}

// plug brings it back, attached.
func (x *shelf) plug() {
	x.comeBack()
	time.Sleep(retryAttach)
	synctest.Wait()
}

// behind writes to the array behind our back.
func (x *shelf) behind(number int, content byte) {
	p := bytes.Repeat([]byte{content}, cachecore.BlockSize)
	if err := x.mem.WriteAt(x.t.Context(), p, int64(number)*cachecore.BlockSize, cachecore.WriteOptions{FUA: true}); err != nil {
		x.t.Fatal(err)
	}
}

func TestAVolumeIsNotReadyBeforeTheFirstAttachment(t *testing.T) {
	serve(t, hold25s, func(s *san) { s.lose("not there yet") }, func(t *testing.T, x *shelf) {
		wants(t, "TEST UNIT READY", notReady, x.a.ready())
		wants(t, "a read", notReady, x.a.read(0)) // and not held: there is no volume yet
		wants(t, "a write", notReady, x.a.write(0, 1))
		wants(t, "a flush", notReady, x.a.flush())
		wants(t, "INQUIRY", good, x.a.cdb(0x12))
		if ready, reason := x.serves(); ready || reason != "array unavailable: not there yet" {
			t.Error(ready, reason)
		}
		x.plug()
		wants(t, "what the mode pages say now", "6/2a/01", x.a.ready())
		wants(t, "and the others", "6/3f/03", x.a.ready())
		wants(t, "TEST UNIT READY, attached", good, x.a.ready())
		wants(t, "a read, attached", "all 0", x.a.read(0))
		wants(t, "a write, attached", good, x.a.write(0, 1))
		wants(t, "a flush, attached", good, x.a.flush())
		if ready, reason := x.serves(); !ready || reason != "" {
			t.Error(ready, reason)
		}
		x.log.expect(1, "volume serves", "iqn.2026-11.example:vol1")
	})
}

func TestWithFailALostArrayIsNotReadyAtOnce(t *testing.T) {
	serve(t, fail, present, func(t *testing.T, x *shelf) {
		wants(t, "a read", "all 0", x.a.read(7))
		x.lose("gone")
		wants(t, "the first who finds out", notReady, x.a.read(0))
		synctest.Wait()
		wants(t, "TEST UNIT READY", notReady, x.a.ready())
		wants(t, "a hit", notReady, x.a.read(7))
		wants(t, "a write", notReady, x.a.write(0, 1))
		wants(t, "a flush", notReady, x.a.flush())
		x.plug()
		wants(t, "TEST UNIT READY, back", good, x.a.ready())
		wants(t, "a read, back", "all 0", x.a.read(0))
	})
}

func TestWithHoldIOGoesOnByItselfWhenTheArrayIsBack(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		wants(t, "before", "all 0", x.a.read(7))
		x.pull()
		read := eventually(func() string { return x.a.read(1) })
		write := eventually(func() string { return x.a.write(2, 2) })
		flush := eventually(x.a.flush)
		time.Sleep(20 * time.Second)
		held(t, read)
		held(t, write)
		held(t, flush)
		wants(t, "TEST UNIT READY meanwhile", good, x.a.ready())
		wants(t, "a hit meanwhile", "all 0", x.a.read(7))
		if ready, reason := x.serves(); !ready || reason != "array unavailable: cable pulled" {
			t.Error(ready, reason)
		}
		x.plug()
		wants(t, "the read", "all 0", <-read)
		wants(t, "the write", good, <-write)
		wants(t, "the flush", good, <-flush)
		wants(t, "what was written", "all 2", x.a.read(2))
	})
}

func TestWhatIsHeldGoesOnAtTheMomentTheArrayIsBack(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		x.pull()
		time.Sleep(300 * time.Millisecond) // so that it asks again at other times than we attach
		read := eventually(func() string { return x.a.read(1) })
		time.Sleep(10 * time.Second)
		x.comeBack()
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		select {
		case how := <-read:
			wants(t, "the read", "all 0", how)
		default:
			t.Error("it is still held")
		}
	})
}

func TestWithHoldTheVolumeIsNotReadyWhenTheTimeIsOver(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		wants(t, "before", "all 0", x.a.read(7))
		x.pull()
		read := eventually(func() string { return x.a.read(1) })
		time.Sleep(25*time.Second - time.Millisecond)
		wants(t, "TEST UNIT READY before", good, x.a.ready())
		held(t, read)
		time.Sleep(time.Millisecond)
		wants(t, "the read that was held", notReady, <-read)
		synctest.Wait()
		wants(t, "TEST UNIT READY after", notReady, x.a.ready())
		wants(t, "a hit after", notReady, x.a.read(7))
		x.log.expect(1, "still away")
		time.Sleep(time.Hour)
		x.plug()
		wants(t, "back", "all 0", x.a.read(1))
		x.log.expect(1, "still away")
	})
}

func TestEachLossIsHeldForItsOwnTime(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		x.pull()
		time.Sleep(20 * time.Second)
		x.plug()
		x.pull()
		time.Sleep(10 * time.Second) // more than 25 s after the first
		wants(t, "TEST UNIT READY", good, x.a.ready())
		time.Sleep(15 * time.Second)
		synctest.Wait()
		wants(t, "TEST UNIT READY", notReady, x.a.ready())
	})
}

func TestTheCacheIsDroppedWhenTheArrayIsAttachedAgain(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		wants(t, "a write", good, x.a.write(1, 1))
		wants(t, "a read", "all 0", x.a.read(2))
		x.pull()
		x.behind(1, 11)
		x.behind(2, 22)
		wants(t, "a hit while it is away", "all 1", x.a.read(1))
		x.plug()
		wants(t, "what was written", "all 11", x.a.read(1))
		wants(t, "what was read", "all 22", x.a.read(2))
	})
}

func TestAnArrayThatComesBackLargerIsToldToInitiators(t *testing.T) {
	serve(t, fail, present, func(t *testing.T, x *shelf) {
		x.pull()
		x.mem.Grow(16 * mib)
		x.plug()
		wants(t, "the first command", "6/2a/09", x.a.ready())
		wants(t, "what is new", "all 0", x.a.read(3000))
	})
}

// Writes that were answered may be gone with the array that had them: the next flush of everybody fails, once.
func TestE1_AFlushAfterAnsweredWritesWereLostFailsOnceForEachInitiator(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		b := newHost(t, x.disk, "iqn.2026-11.example:b,i,0x1")
		wants(t, "b arrives", powerOn, b.ready())
		wants(t, "a writes", good, x.a.write(1, 1))
		x.pull()
		held25 := eventually(x.a.flush)
		held(t, held25)
		x.mem.Crash(nil)
		x.plug()
		x.log.expect(1, "the next flush of each initiator fails")
		wants(t, "a's flush, which was held over the outage", lostWrites, <-held25)
		wants(t, "a's next", good, x.a.flush())
		wants(t, "what a wrote is gone, and nobody is told otherwise", "all 0", x.a.read(1))
		wants(t, "b's flush", lostWrites, b.flush())
		wants(t, "b's next", good, b.flush())
	})
}

func TestE1_AFlushAfterALossThatCostNothingIsGood(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		wants(t, "a write", good, x.a.write(1, 1))
		wants(t, "its flush", good, x.a.flush())
		x.pull()
		later := eventually(x.a.flush)
		x.plug()
		wants(t, "a flush that was held", good, <-later)
		wants(t, "a flush", good, x.a.flush())
	})
}

func TestCloseFlushesWhatWasAnswered(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		wants(t, "a write", good, x.a.write(1, 1))
		if err := x.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.mem.Crash(nil)
		p := make([]byte, cachecore.BlockSize)
		if err := x.mem.ReadAt(t.Context(), p, cachecore.BlockSize); err != nil || p[0] != 1 || x.count("flush") != 1 {
			t.Errorf("%v; the array has %d after %d flushes", err, p[0], x.count("flush"))
		}
	})
}

func TestCloseWaitsForNoArrayThatIsAway(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		wants(t, "a write", good, x.a.write(1, 1))
		x.pull()
		began := time.Now()
		if err := x.close(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestCloseSaysWhatIsStillUnderWay(t *testing.T) {
	serve(t, fail, present, func(t *testing.T, x *shelf) {
		slow := x.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Read })
		read := eventually(func() string { return x.a.read(1) })
		<-slow.Arrived()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := x.close(ctx)
		says(t, err, "vol1", "I/O under way")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		slow.Release(nil)
		wants(t, "the read", notReady, <-read)
	})
}

func TestNothingGoesOnAfterTheEnd(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		x.pull()
		x.end()
		x.comeBack()
		time.Sleep(time.Minute)
		x.log.expect(0, "still away")
		x.log.expect(1, "volume serves")
		if ready, _ := x.serves(); ready {
			t.Error("it says that it serves")
		}
	})
}

// Nobody is left to be told by a flush of what an array that is away may lose.
func TestAnEndWithoutAnArrayThatWasNotFlushedIsTold(t *testing.T) {
	for name, told := range map[string]int{"flushed": 0, "not flushed": 1} {
		t.Run(name, func(t *testing.T) {
			serve(t, hold25s, present, func(t *testing.T, x *shelf) {
				x.a.v.attachment.heals = true
				wants(t, "a write", good, x.a.write(1, 1))
				if told == 0 {
					wants(t, "a flush", good, x.a.flush())
				}
				x.lose("gone")
				x.a.v.attachment.hear(event{Reason: "gone"})
				synctest.Wait()
				if err := x.close(t.Context()); err != nil {
					t.Error(err)
				}
				x.log.expect(told, `"level":"error"`, "was not flushed", "gone")
				x.comeBack()
				x.a.v.attachment.hear(event{Available: true})
			})
		})
	}
}
