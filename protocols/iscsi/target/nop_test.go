package target

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

func TestPingsAreAnsweredWithTheirData(t *testing.T) {
	r := newRig(t)
	c := r.login("MaxRecvDataSegmentLength", "512")
	h := c.request(iscsi.OpNopOut, 5)
	h.SetTargetTag(iscsi.ReservedTag)
	h.SetLUN([]byte{0, 3})
	data := pattern(make([]byte, 600), 1)
	c.send(h, data)
	p := c.expect(iscsi.OpNopIn)
	if p.InitiatorTag() != 5 || p.TargetTag() != iscsi.ReservedTag || p.LUN()[1] != 3 || !bytes.Equal(p.data, data[:512]) {
		t.Errorf("% x, %d bytes", []byte(p.Header), len(p.data))
	}
	if p.ExpCmdSN() != c.cmdSN {
		t.Errorf("ExpCmdSN %d instead of %d", p.ExpCmdSN(), c.cmdSN)
	}
}

func intervals(_ *rig, s *setup) { s.NopInterval, s.NopTimeout = 20*time.Second, 10*time.Second }

// pinged waits for a NOP-In of the target that asks for an answer.
func (c *raw) pinged() pdu {
	c.t.Helper()
	_ = c.net.SetDeadline(time.Time{})
	p := <-c.came
	if p.Header == nil || p.Opcode() != iscsi.OpNopIn || p.InitiatorTag() != iscsi.ReservedTag || p.TargetTag() == iscsi.ReservedTag {
		c.t.Fatalf("no ping: % x", []byte(p.Header))
	}
	return p
}

func TestASilentPeerIsAskedAndLivesWhenItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		c := r.login()
		statSN := c.ping2()
		for range 3 {
			begin := time.Now()
			p := c.pinged()
			if waited := time.Since(begin); waited != 20*time.Second {
				t.Errorf("asked after %s", waited)
			}
			if p.StatSN() != statSN+1 {
				t.Errorf("StatSN %d: a ping has the number of the next response, %d", p.StatSN(), statSN+1)
			}
			h := c.immediate(iscsi.OpNopOut, iscsi.ReservedTag)
			h.SetTargetTag(p.TargetTag())
			c.send(h, nil)
			synctest.Wait()
		}
		if width, expected := c.window(); width != 112 || expected != c.cmdSN {
			t.Errorf("the window is %d wide from %d", width, expected)
		}
	})
}

// ping2 is ping, and returns the StatSN of the answer.
func (c *raw) ping2() uint32 {
	h := c.immediate(iscsi.OpNopOut, 3)
	h.SetTargetTag(iscsi.ReservedTag)
	c.send(h, nil)
	return c.expect(iscsi.OpNopIn).StatSN()
}

// The ping itself leaves, over TCP even to a peer that is dead: that it left is no sign of life.
func TestAPeerThatAnswersNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		c := r.login()
		begin := time.Now()
		c.pinged()
		for range c.came {
			t.Error("something came")
		}
		if waited := time.Since(begin); waited != 30*time.Second {
			t.Errorf("given up after %s", waited)
		}
		synctest.Wait()
		if list := r.server.Sessions(); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	})
}

// slow returns a session that reads when the test does. The pairs, if there are, agree on digests.
func (r *rig) slow(pairs ...string) *raw {
	r.t.Helper()
	nc, err := r.connect(r.t.Context(), "", "")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	c := &raw{t: r.t, net: nc, cmdSN: 1}
	go c.sendBytes(c.encode(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys(append(pairs, "InitiatorName", client, "TargetName", disk)...)))
	if p, err := c.readPDU(false); err != nil || p.LoginStatus() != 0 {
		r.t.Fatal(err)
	}
	c.digest = len(pairs) > 0
	go c.sendBytes(c.encode(c.request(iscsi.OpSCSICommand, 1), nil))
	if p, err := c.readPDU(c.digest); err != nil || p.Status() != 2 {
		r.t.Fatal(err)
	}
	return c
}

func TestAPeerThatReadsNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		c := r.slow()
		c.send(c.read(1, 0, 512), nil) // whose answer nobody takes
		time.Sleep(29 * time.Second)
		if n := len(r.server.Sessions()); n != 1 {
			t.Errorf("%d sessions", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if list := r.server.Sessions(); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	})
}

func TestAPeerThatSendsHalfAPDUIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		c := r.login()
		c.sendBytes(c.encode(c.write(1, 0, 1024), make([]byte, 1024))[:500])
		c.pinged()
		for range c.came {
			t.Error("something came")
		}
		synctest.Wait()
		if n := r.pool.taken(); n != 0 {
			t.Errorf("%d bytes are held", n)
		}
	})
}

func TestAPeerThatTakesItsTimeToReadLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		c := r.slow()
		const reads = 100 // in batches of 16, each of which takes less than the timeout
		var commands []byte
		for tag := range uint32(reads) {
			commands = append(commands, c.encode(c.read(tag, 0, 65024), nil)...)
		}
		go c.sendBytes(commands)
		answers := 0
		for answers < reads {
			p, err := c.readPDU(false)
			if err != nil {
				t.Fatalf("after %d answers: %v", answers, err)
			}
			switch p.Opcode() {
			case iscsi.OpDataIn:
				time.Sleep(time.Second / 16) // the ping stands in line behind this
			case iscsi.OpNopIn:
				h := c.immediate(iscsi.OpNopOut, iscsi.ReservedTag)
				h.SetTargetTag(p.TargetTag())
				go c.send(h, nil)
			}
			if p.Opcode() == iscsi.OpSCSIResponse || p.Opcode() == iscsi.OpDataIn && p.Flags()&iscsi.FlagStatus != 0 {
				answers++
			}
		}
	})
}

func TestBothSidesKeepASessionAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, intervals)
		s := r.dial(func(o *initiator.Options) { o.NopInterval = 7 * time.Second })
		time.Sleep(10 * time.Minute)
		if err := s.Err(); err != nil {
			t.Errorf("our pings: %v", err)
		}
		s = r.dial(func(o *initiator.Options) { o.NopInterval = time.Hour; o.ISID = [6]byte{0x80, 9} })
		time.Sleep(10 * time.Minute)
		if err := s.Err(); err != nil {
			t.Errorf("the target's pings: %v", err)
		}
	})
}

func TestPingsAreAnsweredWhileCommandsHang(t *testing.T) {
	r := newRig(t)
	gate := newGate()
	r.store.Hold, r.store.Cold = gate.hold("read", "write", "flush"), true
	c := r.login()
	c.ready()
	for tag := range uint32(20) {
		c.send(c.read(tag, 0, 512), nil)
		receive(t, gate.entered)
	}
	if before := c.ping(); len(before) > 0 {
		t.Errorf("% x", []byte(before[0].Header))
	}
	close(gate.open)
	for range 20 {
		c.expect(iscsi.OpDataIn)
	}
}

func TestASlowCommandDoesNotDelayAHitBehindIt(t *testing.T) {
	r := newRig(t)
	gate := newGate()
	r.store.Hold = gate.hold("write")
	c := r.login()
	c.ready()
	c.send(c.write(1, 0, 512), make([]byte, 512))
	receive(t, gate.entered)
	for tag := range uint32(50) {
		c.send(c.read(10+tag, 8, 4096), nil)
		if p := c.expect(iscsi.OpDataIn); p.InitiatorTag() != 10+tag {
			t.Fatalf("% x", []byte(p.Header))
		}
	}
	close(gate.open)
	if p := c.expect(iscsi.OpSCSIResponse); p.InitiatorTag() != 1 || p.Status() != 0 {
		t.Errorf("% x", []byte(p.Header))
	}
}
