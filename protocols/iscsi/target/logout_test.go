package target

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

// logout makes a logout request.
func (c *raw) logout(reason byte, cid uint16) iscsi.Header {
	h := c.request(iscsi.OpLogout, 0x10f0)
	h.SetFlags(iscsi.FlagFinal | reason)
	h[20], h[21] = byte(cid>>8), byte(cid)
	return h
}

func TestALogoutEndsWhatItNames(t *testing.T) {
	for name, x := range map[string]struct {
		reason byte
		cid    uint16
		want   byte
		ends   bool
	}{
		"the session":            {iscsi.LogoutSession, 77, iscsi.LogoutSuccess, true},
		"its connection":         {iscsi.LogoutConnection, 0, iscsi.LogoutSuccess, true},
		"a connection of no one": {iscsi.LogoutConnection, 5, iscsi.LogoutNoCID, false},
		"for recovery":           {iscsi.LogoutRecovery, 0, iscsi.LogoutNoRecovery, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, overTCP)
			c := r.login()
			c.send(c.logout(x.reason, x.cid), nil)
			if p := c.expect(iscsi.OpLogoutResp); p.Response() != x.want || p.InitiatorTag() != 0x10f0 {
				t.Errorf("response %d", p.Response())
			}
			if !x.ends {
				c.ready()
				return
			}
			if more := c.ends(); len(more) > 0 {
				t.Errorf("%02x after it", more[0].Opcode())
			}
		})
	}
}

func TestALogoutForAnUnknownReasonIsRejected(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.send(c.logout(9, 0), nil)
	if p := c.expect(iscsi.OpReject); p.Response() != iscsi.RejectInvalidField {
		t.Errorf("% x", []byte(p.Header))
	}
	c.ready()
}

func TestALogoutIsAnsweredWhenTheDeviceIsDone(t *testing.T) {
	r := newRig(t)
	entered, cancelled, leave := make(chan string, 1), make(chan string, 1), make(chan string)
	r.store.Hold = func(ctx context.Context, call string, _, _ int64) error {
		if call == "write" {
			entered <- call
			<-ctx.Done()
			cancelled <- call
			<-leave
		}
		return ctx.Err()
	}
	c := r.login()
	c.ready()
	c.send(c.write(7, 0, 512), make([]byte, 512))
	receive(t, entered)
	hit, logout := c.read(8, 0, 512), c.logout(iscsi.LogoutSession, 0)
	c.sendBytes(append(c.encode(hit, nil), c.encode(logout, nil)...)) // in one piece
	if p := c.expect(iscsi.OpDataIn); p.InitiatorTag() != 8 {         // what is answered does not wait
		t.Errorf("% x", []byte(p.Header))
	}
	receive(t, cancelled)
	select {
	case p := <-c.came:
		t.Fatalf("%02x while the device has the write", p.Opcode())
	default:
	}
	close(leave)
	c.expect(iscsi.OpLogoutResp)
	c.ends()
}

func TestAPeerThatLogsOutAndReadsNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		c := r.slow()
		c.send(c.logout(iscsi.LogoutSession, 0), nil)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if list := r.server.Sessions(); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	})
}

func TestAShutdownAsksForALogout(t *testing.T) {
	r := newRig(t, func(_ *rig, s *setup) { s.LogoutTimeout = 3 * time.Second })
	c := r.login()
	c.ping() // the server knows that its login is over: one that isn't is cut
	s := r.dial(func(o *initiator.Options) { o.ISID = [6]byte{0x80, 7} })
	ended := make(chan struct{})
	go func() {
		r.server.Shutdown(context.Background())
		close(ended)
	}()
	p := c.expect(iscsi.OpAsync)
	if p.Header[36] != iscsi.AsyncLogout || p.InitiatorTag() != iscsi.ReservedTag || p.Header[43] < 3 || p.StatSN() == 0 {
		t.Errorf("% x", []byte(p.Header))
	}
	c.ready() // it goes on until the logout
	c.send(c.logout(iscsi.LogoutSession, 0), nil)
	c.expect(iscsi.OpLogoutResp)
	c.ends()
	receive(t, s.Over())
	if !errors.Is(s.Err(), initiator.ErrLogoutRequested) {
		t.Error(s.Err())
	}
	receive(t, ended)
	if _, err := r.connect(t.Context(), "", ""); err == nil {
		t.Error("it still accepts")
	}
}

func TestAShutdownLetsCommandsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		gate := newGate()
		r.store.Hold = gate.hold("write")
		c := r.login()
		c.ready()
		c.send(c.write(7, 0, 512), make([]byte, 512))
		c.send(c.write(8, 4, 4096), nil) // waits for data that does not come
		<-gate.entered
		c.expect(iscsi.OpR2T)
		ended := r.shutsDownBeside(c)
		close(gate.open)
		if p := c.expect(iscsi.OpSCSIResponse); p.Status() != 0 || p.InitiatorTag() != 7 {
			t.Errorf("% x", []byte(p.Header))
		}
		if more := c.ends(); len(more) > 0 {
			t.Errorf("%02x after it", more[0].Opcode())
		}
		<-ended
	})
}

func TestAShutdownWhoseTimeIsUpCutsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		gate := newGate()
		r.store.Hold = gate.hold("write")
		c := r.login()
		c.ready()
		c.send(c.write(7, 0, 512), make([]byte, 512))
		<-gate.entered
		idle := r.raw(false)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		r.server.Shutdown(ctx)
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("it took %s", took)
		}
		idle.ends()
		for _, p := range c.ends() {
			if p.Opcode() != iscsi.OpAsync {
				t.Errorf("% x", []byte(p.Header))
			}
		}
	})
}

// A connection may be cut, or the server shut down, at any step of a login: it must end, and leave nothing.
func TestLoginsAndAShutdownRunIntoEachOther(t *testing.T) {
	for range 30 {
		t.Run("", func(t *testing.T) {
			r := newRig(t, func(_ *rig, s *setup) { s.LogoutTimeout = time.Millisecond })
			begun, over := make(chan struct{}, 8), make(chan struct{}, 8)
			for i := range byte(8) {
				go func() {
					begun <- struct{}{}
					s, err := initiator.Dial(context.Background(), r.options(func(o *initiator.Options) { o.ISID = [6]byte{0x80, i % 2} }))
					if err == nil {
						<-s.Over()
						s.Abandon()
					}
					over <- struct{}{}
				}()
			}
			for range 4 {
				<-begun
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			r.server.Shutdown(ctx)
			for range 8 {
				receive(t, over)
			}
			if list := r.server.Sessions(); len(list) > 0 {
				t.Errorf("%+v", list)
			}
		})
	}
}

// shutsDownBeside begins a shutdown, in a bubble, that a write under way of c's holds up: the initiator does not log out. It returns what is closed at the end.
func (r *rig) shutsDownBeside(c *raw) <-chan struct{} {
	r.t.Helper()
	ended := make(chan struct{})
	go func() {
		r.server.Shutdown(context.Background())
		close(ended)
	}()
	c.expect(iscsi.OpAsync)
	time.Sleep(3 * time.Second)
	synctest.Wait()
	select {
	case <-ended:
		r.t.Fatal("it has ended with a write under way")
	default:
	}
	return ended
}
