package target

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
)

// An abort of a launched write is answered when the device is done with it, and the device may give up what takes long.
func TestAnAbortOfALaunchedWriteIsAnsweredWhenTheDeviceIsDone(t *testing.T) {
	for name, request := range functions {
		t.Run(name, func(t *testing.T) {
			r, s := heldRig(t)
			c := r.login()
			c.ready()
			c.send(c.write(7, 0, 512), pattern(make([]byte, 512), 1))
			w := receive(t, s.under)
			if w.ctx.Err() != nil {
				t.Error("its context has ended")
			}
			c.send(request(c), nil)
			<-w.ctx.Done()
			if before := c.ping(); len(before) > 0 {
				t.Fatalf("%02x while the device has the task", before[0].Opcode())
			}
			w.finish(w.ctx.Err())
			if p := c.expect(iscsi.OpTaskMgmtResp); p.Response() != iscsi.TaskComplete || p.InitiatorTag() != 70 {
				t.Errorf("% x", []byte(p.Header))
			}
			if before := c.ping(); len(before) > 0 {
				t.Errorf("%02x after the answer", before[0].Opcode())
			}
			c.fullWindow()
		})
	}
}

// The reader that takes an abort has kicked nothing yet of what came with it.
func TestAnAbortThatComesWithTheWriteEnds(t *testing.T) {
	for name, request := range functions {
		t.Run(name, func(t *testing.T) {
			r := newLaunchRig(t, newLaunching())
			c := r.login()
			c.ready()
			c.sendBytes(append(c.encode(c.write(7, 0, 512), make([]byte, 512)), c.encode(request(c), nil)...))
			if p := c.expect(iscsi.OpTaskMgmtResp); p.Response() != iscsi.TaskComplete {
				t.Errorf("% x", []byte(p.Header))
			}
			c.fullWindow()
		})
	}
}

// Others' launched writes are ended by whom they don't belong to.
func TestAResetWaitsForLaunchedWritesOfOthers(t *testing.T) {
	r, s := heldRig(t)
	a, _ := r.as(client, 1, 0)
	b, _ := r.as(client, 2, 0)
	a.ready()
	b.ready()
	a.send(a.write(7, 0, 512), make([]byte, 512))
	b.send(b.write(7, 8, 512), make([]byte, 512))
	first, second := receive(t, s.under), receive(t, s.under)
	a.send(a.manage(70, iscsi.LogicalUnitReset, iscsi.ReservedTag), nil)
	for _, w := range []*underWay{first, second} {
		if before := a.ping(); len(before) > 0 {
			t.Fatalf("%02x while the device has a task", before[0].Opcode())
		}
		<-w.ctx.Done()
		w.finish(nil)
	}
	a.expect(iscsi.OpTaskMgmtResp)
	for _, c := range []*raw{a, b} {
		if c.attention(0) != 0x29 {
			t.Error("no attention")
		}
		c.fullWindow()
	}
}

func TestALogoutIsAnsweredWhenLaunchedWritesAreDone(t *testing.T) {
	r, s := heldRig(t)
	c := r.login()
	c.ready()
	write, hit, logout := c.write(7, 0, 512), c.read(8, 8, 512), c.logout(iscsi.LogoutSession, 0)
	all := append(c.encode(write, pattern(make([]byte, 512), 1)), c.encode(hit, nil)...)
	c.sendBytes(append(all, c.encode(logout, nil)...)) // in one piece: the write waits for its kick
	if p := c.expect(iscsi.OpDataIn); p.InitiatorTag() != 8 {
		t.Errorf("% x", []byte(p.Header))
	}
	w := receive(t, s.under)
	select {
	case p := <-c.came:
		t.Fatalf("%02x while the device has the write", p.Opcode())
	default:
	}
	w.finish(nil)
	c.expect(iscsi.OpLogoutResp)
	c.ends()
}

// A session that is cut ends when the device is done with what was launched, and not before.
func TestACutSessionEndsAfterItsLaunchedWrites(t *testing.T) {
	for name, finish := range map[string]func(w *underWay){
		"written":  func(w *underWay) { w.finish(nil) },
		"given up": func(w *underWay) { <-w.ctx.Done(); w.finish(w.ctx.Err()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s := heldRig(t)
				c := r.login()
				c.ready()
				c.send(c.write(7, 0, 512), make([]byte, 512))
				c.send(c.write(8, 0, 512), make([]byte, 512))
				first, second := <-s.under, <-s.under
				c.net.Close()
				synctest.Wait()
				finish(first)
				synctest.Wait()
				if len(r.server.Sessions()) != 1 {
					t.Error("the session ends while the device has a write")
				}
				finish(second)
				synctest.Wait()
				if list := r.server.Sessions(); len(list) > 0 {
					t.Errorf("%+v", list)
				}
			})
		})
	}
}

// What was launched and not kicked yet when the connection turns out to be at its end is done too.
func TestAnErrorOfTheConnectionLeavesNothingThatIsNotKicked(t *testing.T) {
	s := newLaunching()
	r := newLaunchRig(t, s)
	c := r.login()
	c.ready()
	all := c.encode(c.write(7, 0, 512), pattern(make([]byte, 512), 1))
	c.sendBytes(append(all, c.encode(c.write(8, 8, 512), make([]byte, 2048))...)) // more data than announced
	c.ends()
	r.as(client, 9, 0)
	for len(r.server.Sessions()) > 1 {
		runtime.Gosched()
	}
	if !bytes.Equal(s.Content()[:512], pattern(make([]byte, 512), 1)) {
		t.Error("the session has ended, and the write that was launched is not done")
	}
}

func TestAShutdownLetsLaunchedWritesFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := heldRig(t)
		c := r.login()
		c.ready()
		c.send(c.write(7, 0, 512), make([]byte, 512))
		w := <-s.under
		ended := r.shutsDownBeside(c)
		w.finish(nil)
		c.good(7)
		c.ends()
		<-ended
	})
}

// The context of a launched task ends with it or with its session, whether somebody has asked for that before or not.
func TestTheContextOfALaunchedTaskEnds(t *testing.T) {
	for name, end := range map[string]func(r *revocable, session func()){
		"revoked":     func(r *revocable, _ func()) { r.revoke(); r.revoke() },
		"the session": func(_ *revocable, session func()) { session() },
	} {
		for _, before := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				session, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := &revocable{Context: session}
				if before {
					select {
					case <-r.Done():
						t.Fatal("it has ended from the start")
					default:
					}
				}
				if r.Err() != nil {
					t.Error(r.Err())
				}
				child, stop := context.WithTimeout(r, time.Hour)
				defer stop()
				end(r, cancel)
				receive(t, child.Done())
				receive(t, r.Done())
				if !errors.Is(r.Err(), context.Canceled) {
					t.Error(r.Err())
				}
				r.release()
			})
		}
	}
	r := &revocable{Context: t.Context()}
	done := r.Done()
	r.release() // nothing of it stays with the session
	if r.stop() {
		t.Error("it is still waited for")
	}
	select {
	case <-done:
		t.Error("its end ends it")
	default:
	}
}

// As the storm of writes that wait: some are done by the kick, some by another goroutine, later; some are not launched.
func TestLaunchedWritesAbortsAndResetsOfSeveralSessionsKeepWhatIsAnswered(t *testing.T) {
	s := newLaunching()
	var turn atomic.Uint32
	s.slow = func(w *underWay) {
		for range turn.Add(1) % 16 {
			runtime.Gosched()
		}
		w.finish(w.ctx.Err())
	}
	storm(t, newLaunchRig(t, s, overTCP, stormy), 20)
	if s.called("launch") == 0 {
		t.Error("nothing was launched")
	}
}
