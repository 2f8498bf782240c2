package gateway

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/scsi"
)

// withLog runs a test with what a volume needs that a log on a file acknowledges, within a bubble. The test begins its lives.
func withLog(t *testing.T, test func(t *testing.T, s *san, store etcd.Store, tier configs.Tier)) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log.img")
		test(t, newSAN(t, cachecore.ArrayInfo{}), etcd.NewMemory(), configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: path, Size: 2 * mib}})
	})
}

// arrayHas checks what the array has in block 1.
func (x *shelf) arrayHas(content byte) {
	x.t.Helper()
	p := make([]byte, cachecore.BlockSize)
	if err := x.mem.ReadAt(x.t.Context(), p, cachecore.BlockSize); err != nil || p[0] != content {
		x.t.Errorf("the array has %d (%v)", p[0], err)
	}
}

// drainedTo checks it once the array has all that was acknowledged.
func (x *shelf) drainedTo(content byte) {
	x.t.Helper()
	if err := x.back.Drain(x.t.Context()); err != nil {
		x.t.Error(err)
	}
	x.arrayHas(content)
}

// Writes that the log acknowledges go on while the array is away, whatever the policy says of that; a read finds what the log has.
func TestWritesGoOnWhileTheArrayIsAway(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, fail, configs.WriteBack)
		x.pull()
		wants(t, "TEST UNIT READY", good, x.a.ready())
		wants(t, "a write", good, x.a.write(1, 1))
		wants(t, "a flush", good, x.a.flush())
		wants(t, "a read of that", "all 1", x.a.read(1))
		wants(t, "a read of what only the array has", notReady, x.a.read(2))
		if ready, reason := x.serves(); !ready || reason != "array unavailable: cable pulled" {
			t.Error(ready, reason)
		}
		x.plug()
		time.Sleep(10 * time.Second)
		x.arrayHas(1)
		x.end()
	})
}

// A gateway whose array is away at its start has what its log acknowledged, and carries it when the array comes.
func TestAWriteThatWasAcknowledgedIsServedAfterAStartWithoutTheArray(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, fail, configs.WriteBack)
		x.pull()
		wants(t, "a write", good, x.a.write(1, 1))
		x.end()
		x = written(t, s, store, tier, fail, configs.WriteBack)
		wants(t, "a read before the first attachment", notReady, x.a.read(1))
		wants(t, "a write before the first attachment", notReady, x.a.write(1, 2))
		if v := x.status(0); v.Requested != "write-back" || v.Effective != suspended || v.Reason == "" {
			t.Errorf("the status before the first attachment: %+v", v)
		}
		x.plug()
		for range 3 { // what has changed is told first
			x.a.ready()
		}
		wants(t, "a read, attached", "all 1", x.a.read(1))
		x.drainedTo(1)
		x.end()
	})
}

// A volume whose log is another one answers nothing, be its array there or not, and says why. With its own log everything is there.
func TestA4_AVolumeWithoutItsLogIsNotReadyAndSaysWhy(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, fail, configs.WriteBack)
		x.pull()
		wants(t, "a write", good, x.a.write(1, 1))
		x.end()
		move := func(from, to string) {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		move(tier.Log.Path, tier.Log.Path+".away")
		x = written(t, s, store, tier, hold25s, configs.WriteBack)
		offline := func() {
			t.Helper()
			for range 3 { // what has changed is told first
				x.a.ready()
			}
			wants(t, "TEST UNIT READY", notReady, x.a.ready())
			wants(t, "a read", notReady, x.a.read(1))
			wants(t, "a write", notReady, x.a.write(1, 2))
			wants(t, "a flush", notReady, x.a.flush())
			ready, reason := x.serves()
			if v := x.status(0); ready || reason != x.back.offline() || v.Effective != writeback.Lost.String() || v.Reason != reason {
				t.Errorf("%v, %q; %+v", ready, reason, v)
			}
		}
		offline()
		x.plug()
		offline()
		x.log.expect(0, "volume serves")
		x.end()
		if s.count("write") != 0 {
			t.Error("the array is written to")
		}
		move(tier.Log.Path+".away", tier.Log.Path)
		x = written(t, s, store, tier, fail, configs.WriteBack)
		wants(t, "a read with its log", "all 1", x.a.read(1))
		x.end()
	})
}

// What the array has lost of what the log carried there is carried again: no flush fails for it.
func TestE1_WhatTheLogHasIsCarriedAgainAndNotToldLost(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, hold25s, configs.WriteBack)
		flush := x.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush })
		wants(t, "a write", good, x.a.write(1, 1))
		<-flush.Arrived() // the array has it, in its cache
		x.lose("power cut")
		x.mem.Crash(nil)
		flush.Release(x.away)
		synctest.Wait()
		wants(t, "a flush", good, x.a.flush())
		x.plug()
		x.log.expect(0, "the next flush of each initiator fails")
		wants(t, "a flush", good, x.a.flush())
		wants(t, "a read", "all 1", x.a.read(1))
		x.drainedTo(1)
		x.end()
	})
}

// In write-through the log has nothing: what the array had answered and not flushed is told, as without a log.
func TestE1_WhatWasWrittenThroughBesideALogIsToldLost(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, hold25s, configs.WriteThrough)
		wants(t, "a write", good, x.a.write(1, 1))
		x.pull()
		x.mem.Crash(nil)
		x.plug()
		x.log.expect(1, "the next flush of each initiator fails")
		wants(t, "a flush", lostWrites, x.a.flush())
		wants(t, "the next", good, x.a.flush())
		x.end()
	})
}

// The array has failed to keep what an earlier life had it answer, and says so once: to a flush that nobody has asked for.
func TestE1_AFailedFlushOfWhatAnEarlierLifeAnsweredIsToldLost(t *testing.T) {
	for _, mode := range []string{configs.WriteThrough, configs.WriteBack} {
		t.Run(mode, func(t *testing.T) {
			withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
				failed := false
				s.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
					switch {
					case op.Kind != arraytest.Flush || at != arraytest.Before:
						return nil
					case failed: // as a file does until it is opened anew
						return fmt.Errorf("%w: an earlier flush failed", cachecore.ErrUnavailable)
					}
					failed = true
					return errBoom
				})
				x := written(t, s, store, tier, hold25s, mode)
				x.log.wait("the next flush of each initiator fails") // when the destager has asked twice
				s.mem.Intercept(nil)
				x.plug()
				wants(t, "a flush", lostWrites, x.a.flush())
				wants(t, "the next", good, x.a.flush())
				x.end()
			})
		})
	}
}

// A log in RAM is a volatile write cache, and initiators are told so even where the array has none (PROTOCOL B8). A log that lasts adds none.
func TestB8_ALogInRAMIsAVolatileWriteCache(t *testing.T) {
	for name, c := range map[string]struct{ array, file, told bool }{
		"in RAM": {told: true}, "on a file": {file: true}, "on a file, over an array that has one": {array: true, file: true, told: true},
	} {
		t.Run(name, func(t *testing.T) {
			withLog(t, func(t *testing.T, _ *san, store etcd.Store, tier configs.Tier) {
				if !c.file {
					tier.Log = nil
				}
				x := written(t, newSAN(t, cachecore.ArrayInfo{Size: 8 * mib, WriteCache: c.array}), store, tier, fail, configs.WriteBack)
				if got := x.a.volatile(); got != c.told {
					t.Errorf("initiators are told %v", got)
				}
				x.end()
			})
		})
	}
}

// A log in RAM goes with the process: what could not be carried is told at the end.
func TestAnEndThatLosesWhatALogInRAMHasIsTold(t *testing.T) {
	writesBack(t, fail, func(t *testing.T, x *shelf) {
		wants(t, "a write", good, x.a.write(1, 1))
		x.pull()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := x.close(ctx); err != nil {
			t.Error(err)
		}
		x.log.expect(1, `"level":"error"`, "could not be flushed at the end")
		x.plug()
	})
}

// The hold of a barrier ends with the gateway, where what is acknowledged meanwhile would be lost with it.
func TestB8_ALogInRAMIsCarriedBeforeTheEndThoughABarrierHoldsIt(t *testing.T) {
	writesBack(t, fail, func(t *testing.T, x *shelf) {
		if err := x.back.Barrier(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		wants(t, "a write", good, x.a.write(1, 1))
		ctx, cancel := context.WithTimeout(t.Context(), grace)
		defer cancel()
		if err := x.close(ctx); err != nil {
			t.Error(err)
		}
		x.log.expect(0, "could not be flushed at the end")
		x.log.expect(1, "during the hold of a barrier")
		x.arrayHas(1)
	})
}

// What an earlier life wrote through, and no flush has covered, may be gone with the array's power. Flash takes it only once the array has been flushed, though
// it is the log that answers flushes by now.
func TestFlashUnderALogIsNotAheadOfAnArrayThatLostPower(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		tier.Flash = &configs.Media{Path: tier.Log.Path + ".flash", Size: 64 * mib}
		x := written(t, s, store, tier, fail, configs.WriteThrough)
		wants(t, "a write", good, x.a.write(3, 7))
		x.kill()
		x = written(t, s, store, tier, fail, configs.WriteBack)
		for range 4 {
			wants(t, "a read", "all 7", x.a.read(3))
			x.pool.store.Drop(1, 3, 1)
			wants(t, "a flush", good, x.a.flush())
			time.Sleep(settleEvery)
		}
		before := s.count("read")
		if x.a.read(3); s.count("read") != before {
			t.Error("flash has not taken it")
		}
		x.end()
		s.mem.Crash(nil)
		x = written(t, s, store, tier, fail, configs.WriteBack)
		p := make([]byte, cachecore.BlockSize)
		if err := s.mem.ReadAt(t.Context(), p, 3*cachecore.BlockSize); err != nil {
			t.Fatal(err)
		}
		wants(t, "a read", fmt.Sprint("all ", p[0]), x.a.read(3))
		x.end()
	})
}

// The status and the metrics tell of the log and the flash of a pool, and of a policy that is not in effect why.
func TestStatusTellsOfLogsAndFlashAndOfPolicies(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		tier.Flash = &configs.Media{Path: tier.Log.Path + ".flash", Size: 64 * mib}
		x := written(t, s, store, tier, fail, configs.WriteBack)
		if err := x.gateway.buildServer(); err != nil {
			t.Fatal(err)
		}
		expect := func(when, requested, effective string, reason bool) {
			t.Helper()
			synctest.Wait()
			if v := x.gateway.Status().Volumes[0]; v.Requested != requested || v.Effective != effective || (v.Reason != "") != reason || v.Writeback == nil {
				t.Errorf("%s: %+v", when, v)
			}
		}
		expect("at first", "write-back", "write-back", false)
		if p := x.gateway.Status().Pools[0]; p.Log == nil || p.Log.Bytes == 0 || p.Flash == nil || p.Flash.State != flashOK {
			t.Errorf("%+v, %+v", p.Log, p.Flash)
		}
		if m := values(gather(t, x.gateway)); m["pool_flash_ready fast"] != 1 || m["pool_flash_write_budget_bytes fast"] != 64*mib {
			t.Errorf("%v", m)
		}
		x.pull()
		expect("the array is away", "write-back", "write-back", true)
		wants(t, "a write", good, x.a.write(1, 1))
		if err := x.gateway.SetWrite(t.Context(), "vol1", configs.WriteThrough); err != nil {
			t.Fatal(err)
		}
		expect("to be written through, and the array is away", "write-through", "draining", true)
		x.plug()
		time.Sleep(10 * time.Second)
		expect("the array is back", "write-through", "write-through", false)
		x.pull()
		expect("away again", "write-through", suspended, true)
		x.plug()
		x.end()
		if err := x.gateway.writes.close(); err != nil {
			t.Error(err)
		}
	})
}

// Draining never holds a write for what the array lacks: a volume that drains goes on without it, as one that is written back does.
func TestB5_AVolumeThatDrainsGoesOnWhileTheArrayIsAway(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, fail, configs.WriteBack)
		flush := x.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush })
		wants(t, "a write", good, x.a.write(1, 1))
		<-flush.Arrived()
		if err := x.back.setWrite(t.Context(), configs.WriteThrough); err != nil {
			t.Fatal(err)
		}
		x.lose("cable pulled")
		flush.Release(x.away)
		synctest.Wait()
		if m := x.back.Status().Effective; m != writeback.Draining {
			t.Fatal(m)
		}
		wants(t, "a write while it drains", good, x.a.write(1, 2))
		wants(t, "a read of that", "all 2", x.a.read(1))
		x.plug()
		time.Sleep(10 * time.Second)
		x.arrayHas(2)
		if m := x.back.Status().Effective; m != writeback.Through {
			t.Error(m)
		}
		x.end()
	})
}

// Write-back that begins while the array is away, as its pause ends, goes on when what the array was waited for is over.
func TestB5_AVolumeThatIsWrittenBackAgainGoesOnWhileTheArrayIsAway(t *testing.T) {
	withLog(t, func(t *testing.T, s *san, store etcd.Store, tier configs.Tier) {
		x := written(t, s, store, tier, hold25s, configs.WriteBack)
		if err := x.back.pause(t.Context(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if m := x.back.Status().Effective; m != writeback.Through {
			t.Fatal(m)
		}
		x.pull()
		time.Sleep(time.Minute)
		wants(t, "TEST UNIT READY", good, x.a.ready())
		wants(t, "a write", good, x.a.write(1, 1))
		wants(t, "a read of that", "all 1", x.a.read(1))
		x.plug()
		x.drainedTo(1)
		x.end()
	})
}

// An UNMAP whose zeros the array doesn't promise is not logged, and may be left undone: no write waits for it while the array is away.
func TestAnUnmapKeepsNoWriteWaitingForAnArrayThatIsAway(t *testing.T) {
	withLog(t, func(t *testing.T, _ *san, store etcd.Store, tier configs.Tier) {
		x := written(t, newSAN(t, cachecore.ArrayInfo{Size: 8 * mib, WriteCache: true, Thin: true}), store, tier, hold25s, configs.WriteBack)
		x.pull()
		wants(t, "a write", good, x.a.write(1, 1))
		list := make([]byte, 24) // of one descriptor: 8 KiB
		list[1], list[3], list[19] = 22, 16, 16
		unmapped := eventually(func() string { return x.a.execute(&scsi.Command{CDB: [16]byte{0x42, 7: 0, 8: 24}, DataOut: list}) })
		synctest.Wait()
		wrote := eventually(func() string { return x.a.write(1, 2) })
		time.Sleep(5 * time.Second)
		if len(wrote) == 0 || len(unmapped) == 0 {
			t.Errorf("%d writes there and %d UNMAPs have been answered in 5 s", len(wrote), len(unmapped))
		}
		x.plug()
		wants(t, "the UNMAP", good, <-unmapped)
		wants(t, "a write there", good, <-wrote)
		wants(t, "a read", "all 2", x.a.read(1))
		x.drainedTo(2)
		x.end()
	})
}
