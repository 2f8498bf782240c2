package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/ram"
	"forebay/configs"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
)

func TestTheEndWithNothingUnderWay(t *testing.T) {
	whenServed(t, 2, hold25s, present, func(t *testing.T, w *whole) {
		s := w.logIn()
		w.stop()
		if err := w.end(0); err != nil {
			t.Error(err)
		}
		<-s.Over()
		for i, x := range w.sans {
			if x.count("flush") != 1 {
				t.Errorf("array %d: %d flushes", i+1, x.count("flush"))
			}
		}
		if _, err := initiator.Dial(t.Context(), initiator.Options{Portal: "pipe", Target: "iqn.2026-11.example:vol1", Dial: w.pipes.Dial}); err == nil {
			t.Error("a login after the end")
		}
		if err := w.Ready(); err == nil {
			t.Error("it says that it serves")
		}
	})
}

func TestTheEndAnswersWhatIsUnderWay(t *testing.T) {
	whenServed(t, 1, fail, present, func(t *testing.T, w *whole) {
		s := w.logIn()
		slow := w.sans[0].mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Write })
		write := w.submit(s, writing(0, 7))
		w.stop()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if status := w.Status(); len(status.Sessions) != 1 || status.Sessions[0].InFlight != 1 {
			t.Errorf("while it ends: %+v", status.Sessions)
		}
		slow.Release(nil)
		if err := <-write; err != nil {
			t.Error(err)
		}
		if err := w.end(3 * time.Second); err != nil {
			t.Error(err)
		}
		p := make([]byte, 512)
		w.sans[0].mem.Crash(nil)
		if err := w.sans[0].mem.ReadAt(t.Context(), p, 0); err != nil || p[0] != 7 {
			t.Errorf("what was answered is not durable: %v, %d", err, p[0])
		}
		<-s.Over()
	})
}

func TestTheEndCutsWhatIsHeldForAnAbsentArray(t *testing.T) {
	whenServed(t, 2, configs.OnArrayLoss{Hold: 10 * time.Minute}, present, func(t *testing.T, w *whole) {
		s := w.logIn()
		w.sans[0].lose("gone")
		read, write := w.submit(s, reading(0)), w.submit(s, writing(0, 7))
		if err := <-w.submit(s, writing(1, 8)); err != nil { // the other volume has its array
			t.Fatal(err)
		}
		w.stop()
		if err := w.end(grace); err != nil {
			t.Error(err)
		}
		for _, failure := range []<-chan error{read, write} {
			if err := <-failure; !errors.Is(err, initiator.ErrOutcomeUnknown) {
				t.Errorf("the initiator is told %v, and would not ask again elsewhere", err)
			}
		}
		if n := w.sans[1].count("flush"); n != 1 {
			t.Errorf("the other array is flushed %d times", n)
		}
		<-s.Over()
	})
}

// The memory that a call the kernel never answers may still write into stays, and so the process is told that the end was not in order.
func TestACallThatNeverReturnsKeepsNeitherTheProcessNorLosesItsMemory(t *testing.T) {
	for name, c := range map[string]struct {
		command *initiator.Command
		goesOn  []string
	}{
		"a read":  {reading(0), []string{"volumes", "arrays"}}, // for the cache: who waits for it can be cut
		"a write": {writing(0, 7), []string{"commands", "volumes", "arrays"}},
	} {
		t.Run(name, func(t *testing.T) {
			whenServed(t, 2, fail, present, func(t *testing.T, w *whole) {
				s, hung := w.logIn(), make(chan struct{})
				w.sans[0].set(func(x *san) { x.hung = hung })
				failure := w.submit(s, c.command)
				w.stop()
				says(t, w.end(3*stepTimeout), append(c.goesOn, "not in order")...)
				<-failure
				if n := w.sans[1].count("flush"); n != 1 || w.sans[1].isOpen() {
					t.Errorf("the other array: %d flushes, open %v", n, w.sans[1].isOpen())
				}
				for _, buffers := range []*ram.Buffers{w.writes.buffers, w.pools["fast"].buffers} {
					p := buffers.Get(4096)
					p[0] = 1 // dies, if it is not mapped
					buffers.Put(p)
				}
				close(hung)
				<-s.Over()
				synctest.Wait()
				if err := w.release(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAnOpenThatNeverReturnsKeepsNotTheProcess(t *testing.T) {
	var stuck chan struct{}
	whenServed(t, 1, fail, func(s *san) { stuck = make(chan struct{}); s.stuck = stuck }, func(t *testing.T, w *whole) {
		w.stop()
		says(t, w.end(stepTimeout), "arrays have not ended")
		close(stuck)
		synctest.Wait()
		if w.sans[0].isOpen() {
			t.Error("it stays open")
		}
	})
}

func TestOneArrayThatDoesNotFlushTakesNoTimeFromTheOthers(t *testing.T) {
	whenServed(t, 2, fail, present, func(t *testing.T, w *whole) {
		w.sans[0].mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush })
		w.stop()
		time.Sleep(time.Second)
		synctest.Wait()
		if n := w.sans[1].count("flush"); n != 1 {
			t.Errorf("the other is flushed %d times", n)
		}
		if err := w.end(stepTimeout); err != nil {
			t.Error(err)
		}
		w.log.expect(1, "could not be flushed", `"volume":"vol1"`)
	})
}

func TestAControlPlaneThatFailsIsToldAndVolumesGoOn(t *testing.T) {
	whenServed(t, 1, fail, present, func(t *testing.T, w *whole) {
		s := w.logIn()
		w.failed <- errBoom
		if err := <-w.submit(s, writing(0, 7)); err != nil {
			t.Error(err)
		}
		w.log.expect(1, "the control plane has failed", "boom", `"level":"error"`)
		close(w.failed) // which is no further failure
		synctest.Wait()
		w.log.expect(1, "the control plane has failed")
		w.stop()
		if err := w.end(0); err != nil {
			t.Error(err)
		}
		<-s.Over()
	})
}

func TestMemoryThatIsInUseIsNotGivenBack(t *testing.T) {
	t.Run("a pinned block", func(t *testing.T) {
		p, err := newPool(configs.Tier{Pool: "fast", RAM: mib}, false, newLines(t).logger())
		if err != nil {
			t.Fatal(err)
		}
		batch := p.store.Prepare(1, 0, 1)
		batch.Bytes(0)[4095] = 9
		batch.Publish()
		var d scsi.Data
		if !p.store.ReadNow(1, 0, cachecore.BlockSize, &d) {
			t.Fatal("it is not cached")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = p.close(ctx)
		says(t, err, "pool fast")
		if sent := d.Segments()[0][4095]; !errors.Is(err, context.Canceled) || sent != 9 {
			t.Errorf("%v; what is sent is %d", err, sent)
		}
		d.Release()
	})
	t.Run("a buffer of a fill", func(t *testing.T) {
		p, err := newPool(configs.Tier{Pool: "fast", RAM: mib}, false, newLines(t).logger())
		if err != nil {
			t.Fatal(err)
		}
		fill := p.buffers.Get(4096)
		says(t, p.close(t.Context()), "pool fast", "4096 bytes of buffers are still in use")
		fill[4095] = 1
	})
	t.Run("a buffer of a write", func(t *testing.T) {
		w, err := newWrites(newLines(t).logger())
		if err != nil {
			t.Fatal(err)
		}
		p := w.buffers.Get(8192)
		says(t, w.close(), "8192 bytes of buffers are still in use")
		p[8191] = 1
		w.buffers.Put(p)
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
}

// What a flash tier takes to end is not taken from the RAM tier's time.
func TestAFlashTierThatEndsSlowlyEndsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Config: &configs.Config{}, Log: newLines(t).logger()})
		notes, err := openFlashNotes(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var twins []*devicetest.Twin
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} { // as each of them may have had luck
			tier := configs.Tier{Pool: name, RAM: mib, Flash: &configs.Media{}}
			p, err := newPool(tier, false, g.log)
			if err != nil {
				t.Fatal(err)
			}
			twins = append(twins, devicetest.New(8*mib))
			if p.flash, err = newFlash(tier, twins[len(twins)-1], nil, notes, g.log); err != nil {
				t.Fatal(err)
			}
			g.pools[name] = p
		}
		for _, twin := range twins {
			twin.OnCall(func(c devicetest.Call) devicetest.Fault {
				if c.Kind == devicetest.Sync {
					time.Sleep(2 * time.Second)
				}
				return devicetest.Fault{}
			})
		}
		if err := g.release(); err != nil {
			t.Error(err)
		}
	})
}
