package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
	"forebay/protocols/sock/socktest"
)

func TestWhatWasWrittenIsRead(t *testing.T) {
	for name, change := range map[string]func(*rig, *setup){"pipe": func(*rig, *setup) {}, "tcp": overTCP} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, change)
			s := r.dial()
			w := &initiator.Command{Out: pattern(make([]byte, 8192), 1)}
			w.Write(3, 16, false)
			if err := s.Do(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			c := &initiator.Command{In: make([]byte, 8192)}
			c.Read(3, 16)
			if err := s.Do(t.Context(), c); err != nil || !bytes.Equal(c.In, w.Out) {
				t.Errorf("%v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// as logs in as an initiator port of its own.
func (r *rig) as(initiator string, isid byte, tsih uint16) (*raw, pdu) {
	r.t.Helper()
	c := r.raw(false)
	h := c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature)
	h.SetISID([]byte{0x80, 0, 0, 0, 0, isid})
	h.SetTSIH(tsih)
	c.send(h, keys("InitiatorName", initiator, "TargetName", disk))
	return c, c.expect(iscsi.OpLoginResp)
}

func TestALoginReinstatesItsSessionWhenTheOldCommandsHaveEnded(t *testing.T) {
	r := newRig(t)
	entered, cancelled, leave := make(chan string, 1), make(chan string, 1), make(chan string)
	r.store.Hold = func(ctx context.Context, call string, _, _ int64) error {
		if call == "write" {
			entered <- call
			<-ctx.Done()
			cancelled <- call
			<-leave // it may still reach the medium
		}
		return ctx.Err()
	}
	old := r.login()
	old.ready()
	old.send(old.write(7, 0, 512), make([]byte, 512))
	receive(t, entered)
	fresh := r.raw(false)
	fresh.send(fresh.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys("InitiatorName", client, "TargetName", disk))
	receive(t, cancelled)
	if before := old.ends(); len(before) > 0 {
		t.Errorf("%02x on the old session", before[0].Opcode())
	}
	select {
	case p := <-fresh.came:
		t.Fatalf("%02x while the device has the old write", p.Opcode())
	default:
	}
	close(leave)
	if p := fresh.expect(iscsi.OpLoginResp); p.LoginStatus() != 0 {
		t.Fatalf("status %04x", p.LoginStatus())
	}
	fresh.ready() // a new nexus
	if n := len(r.server.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// hungWrite logs in, within a bubble, and writes: the device doesn't return from that until it is to leave.
func (r *rig) hungWrite() (leave chan string) {
	leave = make(chan string)
	r.store.Hold = func(_ context.Context, call string, _, _ int64) error {
		if call == "write" {
			<-leave
		}
		return nil
	}
	old := r.login()
	old.ready()
	old.send(old.write(7, 0, 512), make([]byte, 512))
	synctest.Wait()
	return leave
}

func TestALoginThatWaitsForOldCommandsForTooLongIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ *rig, s *setup) { s.Limits.Login = 10 * time.Second })
		leave := r.hungWrite()
		fresh := r.raw(false)
		begin := time.Now()
		fresh.send(fresh.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys("InitiatorName", client, "TargetName", disk))
		if list := fresh.ends(); len(list) > 0 && list[0].LoginStatus() != iscsi.LoginUnavailable {
			t.Errorf("status %04x", list[0].LoginStatus())
		}
		if waited := time.Since(begin); waited != 10*time.Second {
			t.Errorf("it waited for %s", waited)
		}
		close(leave)
		synctest.Wait()
		again, answer := r.as(client, 1, 0)
		if answer.LoginStatus() != 0 {
			t.Errorf("status %04x", answer.LoginStatus())
		}
		again.ready()
	})
}

// The time of a login is over by then, and the initiator hears why all the same.
func TestALoginThatIsRefusedAtTheEndOfItsTimeIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ *rig, s *setup) { s.Limits.Login = 10 * time.Second })
		leave := r.hungWrite()
		fresh := r.raw(false)
		time.Sleep(time.Second) // of the ten
		fresh.send(fresh.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys("InitiatorName", client, "TargetName", disk))
		if list := fresh.ends(); len(list) != 1 || list[0].LoginStatus() != iscsi.LoginUnavailable {
			t.Errorf("%d answers", len(list))
		}
		close(leave)
	})
}

// Of logins of one initiator port that come at a time the last to be let in stays.
func TestConcurrentLoginsOfOnePortLeaveOneSession(t *testing.T) {
	r := newRig(t, overTCP)
	dialed, ended := make(chan bool, 8), make(chan error, 8)
	for range cap(ended) {
		go func() {
			s, err := initiator.Dial(t.Context(), r.options(func(o *initiator.Options) { o.ISID = [6]byte{0x80, 1} }))
			dialed <- true
			if err == nil {
				<-s.Over()
				s.Abandon()
			}
			ended <- err
		}()
	}
	for range cap(dialed) { // the one that stays may still be waiting for the end of the session before it
		receive(t, dialed)
	}
	for range cap(ended) - 1 { // the sessions that were reinstated
		if err := receive(t, ended); err != nil && !strings.Contains(err.Error(), "connection lost") {
			t.Error(err)
		}
	}
	if n := len(r.server.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	r.server.Shutdown(over)
	receive(t, ended)
}

func TestPortsHaveSessionsOfTheirOwn(t *testing.T) {
	r := newRig(t)
	a, first := r.as(client, 1, 0)
	b, second := r.as(client, 2, 0)
	c, third := r.as("iqn.other", 1, 0)
	if first.TSIH() == 0 || first.TSIH() == second.TSIH() || second.TSIH() == third.TSIH() || first.TSIH() == third.TSIH() {
		t.Errorf("TSIHs %d, %d, %d", first.TSIH(), second.TSIH(), third.TSIH())
	}
	for i, s := range []*raw{a, b, c} {
		s.ready() // an attention each
		s.send(s.write(uint32(i), i, 512), pattern(make([]byte, 512), i))
		if p := s.expect(iscsi.OpSCSIResponse); p.Status() != 0 || p.StatSN() != 3 {
			t.Errorf("% x", []byte(p.Header))
		}
	}
	list := r.server.Sessions()
	if len(list) != 3 {
		t.Fatalf("%+v", list)
	}
	for _, s := range list {
		if s.Target != disk || s.Commands != 2 || s.InFlight != 0 || s.Address == "" || s.Initiator != "iqn.other" && s.Initiator != client {
			t.Errorf("%+v", s)
		}
	}
}

func TestASessionThatDoesNotExistCanNotBeJoinedAndOneThatDoesIsFull(t *testing.T) {
	r := newRig(t)
	a, first := r.as(client, 1, 0)
	if _, p := r.as(client, 1, first.TSIH()+1); p.LoginStatus() != iscsi.LoginNoSession {
		t.Errorf("no such session: status %04x", p.LoginStatus())
	}
	if _, p := r.as("iqn.other", 1, first.TSIH()); p.LoginStatus() != iscsi.LoginNoSession {
		t.Errorf("another's session: status %04x", p.LoginStatus())
	}
	if _, p := r.as(client, 1, first.TSIH()); p.LoginStatus() != iscsi.LoginTooManyConnections {
		t.Errorf("a second connection: status %04x", p.LoginStatus())
	}
	a.ready()
}

func TestOnlyThoseOnTheAccessListAreLetIn(t *testing.T) {
	r := newRig(t)
	r.targets[disk].Allowed = func(initiator string) bool { return initiator == "iqn.friend" }
	if _, p := r.as(client, 1, 0); p.LoginStatus() != iscsi.LoginForbidden {
		t.Errorf("status %04x", p.LoginStatus())
	}
	c, p := r.as("iqn.friend", 1, 0)
	if p.LoginStatus() != 0 {
		t.Fatalf("status %04x", p.LoginStatus())
	}
	c.ready()
}

func TestSessionsAreLimited(t *testing.T) {
	r := newRig(t, func(_ *rig, s *setup) { s.Limits.Sessions, s.Limits.Unauthenticated = 3, 5 })
	for i := range byte(3) {
		if _, p := r.as(client, i, 0); p.LoginStatus() != 0 {
			t.Fatalf("status %04x", p.LoginStatus())
		}
	}
	if _, p := r.as(client, 9, 0); p.LoginStatus() != iscsi.LoginOutOfResources {
		t.Errorf("one too many: status %04x", p.LoginStatus())
	}
	if _, p := r.as(client, 0, 0); p.LoginStatus() != 0 {
		t.Errorf("a reinstatement: status %04x", p.LoginStatus())
	}
	for range 5 { // they take no place of a session
		if p := r.raw(false).logIn("InitiatorName", client, "SessionType", "Discovery"); p.LoginStatus() != 0 {
			t.Fatalf("discovery: status %04x", p.LoginStatus())
		}
	}
	if p := r.raw(false).logIn("InitiatorName", client, "SessionType", "Discovery"); p.LoginStatus() != iscsi.LoginOutOfResources {
		t.Errorf("one discovery too many: status %04x", p.LoginStatus())
	}
}

func TestConnectionsWithoutALoginAreLimitedAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ *rig, s *setup) { s.Limits.Unauthenticated, s.Limits.Login = 3, 5*time.Second })
		begin := time.Now()
		var idle []*raw
		for range 3 {
			idle = append(idle, r.raw(false))
		}
		idle[1].send(idle[1].loginRequest(iscsi.StageSecurity, iscsi.StageOperational), keys("InitiatorName", client, "TargetName", disk, "AuthMethod", "None"))
		idle[1].expect(iscsi.OpLoginResp) // half a login doesn't help
		idle[2].sendBytes(make([]byte, 20))
		if extra := r.raw(false); len(extra.ends()) > 0 || time.Since(begin) != 0 {
			t.Error("one too many is let in")
		}
		for _, c := range idle {
			c.ends()
		}
		if waited := time.Since(begin); waited != 5*time.Second {
			t.Errorf("they end after %s", waited)
		}
		synctest.Wait()
		r.login().ready()
	})
}

func TestALoginDoesNotLastLongerForComingInSmallPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ *rig, s *setup) { s.Limits.Login = 5 * time.Second })
		c := r.raw(false)
		begin := time.Now()
		p := c.encode(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys("InitiatorName", client, "TargetName", disk))
		for i := range p {
			if _, err := c.net.Write(p[i : i+1]); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		c.ends()
		if waited := time.Since(begin); waited > 6*time.Second {
			t.Errorf("it ends after %s", waited)
		}
	})
}

// nexuses is a device that notes the events.
type nexuses struct {
	scsi.Device
	lost chan *scsi.Nexus
}

func (n nexuses) Event(e scsi.Event, x *scsi.Nexus) {
	if e == scsi.EventNexusLoss {
		n.lost <- x
	}
	n.Device.Event(e, x)
}

func TestTheDeviceHearsOfEverySessionThatEnds(t *testing.T) {
	r := newRig(t)
	device := nexuses{r.unit, make(chan *scsi.Nexus, 8)}
	r.targets[disk].LUNs = func() map[uint64]scsi.Device { return map[uint64]scsi.Device{0: device} }
	for name, end := range map[string]func(c *raw){
		"cut":    func(c *raw) { c.net.Close() },
		"logout": func(c *raw) { c.send(c.request(iscsi.OpLogout, 1), nil) },
	} {
		c := r.login()
		c.ready()
		end(c)
		x := receive(t, device.lost)
		if want := fmt.Sprintf("%s,i,0x%x", client, []byte{0x80, 1, 2, 3, 4, 5}); x.Initiator != want || x.Target != disk {
			t.Errorf("%s: %+v", name, x)
		}
		c.ends()
	}
}

func TestAListenerThatFailsEndsServe(t *testing.T) {
	s := New(Options{Catalog: targets{}, Buffers: &pool{}})
	if err := s.Serve(t.Context(), broken{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	s.Shutdown(t.Context())
	l := socktest.NewPipeListener()
	if err := s.Serve(t.Context(), l); err != nil {
		t.Errorf("after the shutdown: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestServeEndsWithItsContextAndTheSessionsGoOn(t *testing.T) {
	r := newRig(t)
	l := socktest.NewPipeListener()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.server.Serve(ctx, l) }()
	r.connect = l.Dial
	c := r.login()
	cancel()
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
	c.ready()
}

type broken struct{ net.Listener }

var errBroken = errors.New("broken")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }
func (broken) Close() error              { return nil }
