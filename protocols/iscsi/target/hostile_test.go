package target

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi/scsitest"
)

func TestPDUsThatNoInitiatorSendsAreRejectedOrEndTheConnection(t *testing.T) {
	const ends = 0 // no Reject has this reason
	for name, x := range map[string]struct {
		send func(c *raw)
		want byte
	}{
		"SNACK":           {func(c *raw) { c.send(c.immediate(iscsi.OpSNACK, 1), nil) }, iscsi.RejectSNACK},
		"a login":         {func(c *raw) { c.send(c.loginRequest(1, 3), keys("InitiatorName", client)) }, iscsi.RejectProtocol},
		"a login, padded": {func(c *raw) { c.send(c.loginRequest(1, 3), make([]byte, 9999)) }, iscsi.RejectProtocol},
		"an unknown one":  {func(c *raw) { c.send(c.immediate(0x1d, 1), make([]byte, 77)) }, iscsi.RejectNotSupported},
		"a response":      {func(c *raw) { c.send(c.immediate(iscsi.OpSCSIResponse, 1), nil) }, iscsi.RejectNotSupported},
		"too long a segment": {func(c *raw) {
			h := c.immediate(iscsi.OpNopOut, 1)
			h.SetDataLength(maxRecvSegment + 1)
			c.sendBytes(h)
		}, ends},
		"the longest segment": {func(c *raw) {
			h := c.immediate(iscsi.OpDataOut, 1)
			h.SetDataLength(1<<24 - 1)
			c.sendBytes(h)
		}, ends},
		"much ahead of its turn": {func(c *raw) {
			c.request(iscsi.OpNopOut, 1)
			h := c.request(iscsi.OpNopOut, 2)
			h.SetDataLength(firstBurst + 4)
			c.sendBytes(h)
		}, ends},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.login()
			x.send(c)
			if x.want == ends {
				if before := c.ends(); len(before) > 0 {
					t.Errorf("% x", []byte(before[0].Header))
				}
				return
			}
			p := c.expect(iscsi.OpReject)
			if p.Response() != x.want || p.InitiatorTag() != iscsi.ReservedTag || len(p.data) != iscsi.HeaderLength || p.ExpCmdSN() != c.cmdSN {
				t.Errorf("% x", []byte(p.Header))
			}
			if width, _ := c.window(); width != 112 {
				t.Errorf("the window is %d wide", width)
			}
		})
	}
}

func TestCommandsThatCanNotBeCarriedAreRefused(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	h := c.read(1, 0, 512)
	h[4] = 3 // words of additional headers
	c.sendBytes(append(h, make([]byte, 12)...))
	c.send(c.both(2), make([]byte, 512))
	for tag := range uint32(2) {
		if p := c.expect(iscsi.OpSCSIResponse); p.Response() != responseTargetFailure || p.InitiatorTag() != tag+1 {
			t.Errorf("% x", []byte(p.Header))
		}
	}
	c.send(c.read(3, 0, 512), nil)
	c.expect(iscsi.OpDataIn)
}

func TestAConnectionMayBreakOffAnywhere(t *testing.T) {
	c := &raw{t: t, cmdSN: 100}
	var whole []byte
	for _, p := range [][]byte{
		c.encode(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys("InitiatorName", client, "TargetName", disk, "InitialR2T", "No")),
		c.encode(c.write(1, 0, 1024), make([]byte, 512)),
		c.encode(dataOut(1, 1, 0, 512, true), make([]byte, 512)),
		c.encode(c.read(2, 0, 2048), nil),
		c.encode(c.manage(3, iscsi.LogicalUnitReset, iscsi.ReservedTag), nil),
		c.encode(c.request(iscsi.OpNopOut, 4), make([]byte, 30)),
		c.encode(c.logout(iscsi.LogoutSession, 0), nil),
	} {
		whole = append(whole, p...)
	}
	for n := range len(whole) {
		if n%5 != 0 && n%48 != 0 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			c := r.raw(false)
			c.sendBytes(whole[:n])
			synctest.Wait()
			c.net.Close()
		})
	}
}

// scramble makes requests of all kinds, mostly right, with tags, numbers and lengths from few values, so that they meet.
type scramble struct {
	*raw
	*rand.Rand
	got  []pdu
	open []pdu // R2Ts that are not answered yet
}

// look takes what has come.
func (s *scramble) look() {
	synctest.Wait()
	for n := len(s.came); n > 0; n-- {
		p := <-s.came
		if p.Header == nil {
			return
		}
		if s.got = append(s.got, p); p.Opcode() == iscsi.OpR2T {
			s.open = append(s.open, p)
		}
	}
}

func (s *scramble) request() []byte {
	tag := s.Uint32N(6)
	var h iscsi.Header
	data := make([]byte, 512*s.IntN(4))
	switch s.IntN(14) {
	case 0, 1, 2:
		h, data = s.read(tag, s.IntN(8), 512<<s.IntN(9)), nil
	case 3, 4, 5:
		n := 512 << s.IntN(12)
		h, data = s.write(tag, s.IntN(8), n), data[:min(n, len(data), 512)]
	case 6, 7, 8:
		return s.answerR2T()
	case 9, 10:
		h, data = s.manage(100+s.Uint32N(4), iscsi.TaskFunction(1+s.IntN(7)), tag), nil
		h.SetReferencedCmdSN(s.cmdSN - s.Uint32N(6))
		if s.IntN(10) > 0 && h.Flags()&0x7f >= byte(iscsi.TargetWarmReset) {
			h.SetFlags(iscsi.FlagFinal | byte(iscsi.AbortTask))
		}
	case 11:
		h = s.raw.request(iscsi.OpNopOut, tag)
	case 12:
		h, data = s.raw.request(iscsi.OpText, tag), keys("SendTargets", "")
		h.SetTargetTag(iscsi.ReservedTag)
	default:
		h = s.both(tag)
	}
	s.spoil(h)
	return s.encode(h, data)
}

// answerR2T answers one of the R2Ts, rarely not as it should be.
func (s *scramble) answerR2T() []byte {
	if len(s.open) == 0 {
		return nil
	}
	i := s.IntN(len(s.open))
	p := s.open[i]
	s.open = append(s.open[:i], s.open[i+1:]...)
	var out []byte
	at, left := int(p.BufferOffset()), int(p.DesiredLength())
	for sn := uint32(0); left > 0; sn++ {
		n := min(left, 4096<<s.IntN(6))
		left -= n
		h := dataOut(p.InitiatorTag(), p.TargetTag(), sn, at, left == 0)
		if s.IntN(100) == 0 {
			s.spoil(h)
		}
		out = append(out, s.encode(h, make([]byte, n))...)
		at += n
	}
	return out
}

// spoil changes some of what is right.
func (s *scramble) spoil(h iscsi.Header) {
	switch s.IntN(20) {
	case 0:
		h.SetCmdSN(h.CmdSN() + 1 + s.Uint32N(3))
	case 1:
		h.SetCmdSN(h.CmdSN() - 1 - s.Uint32N(3))
	case 2:
		h.SetImmediate()
	case 3:
		h.SetFlags(h.Flags() &^ iscsi.FlagFinal)
	case 4:
		h.SetLUN([]byte{0, byte(s.IntN(2))})
	case 5:
		s.cmdSN -= min(s.Uint32N(3), s.cmdSN-1)
	}
}

// Each round is a connection with requests of all kinds. It must end, be numbered as it should, and leave nothing.
func TestRequestsOfAllKindsMeet(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { scrambled(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func scrambled(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	how := byte(random.IntN(4))
	store := &pinning{Mem: scsitest.NewMem(diskSize)}
	store.Cold = random.IntN(2) == 0
	store.Hold = func(ctx context.Context, _ string, off, _ int64) error {
		select {
		case <-time.After(time.Duration(off) * time.Microsecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := newRig(t, leastMemory, func(r *rig, s *setup) {
		s.store, r.pool.left = store, 2<<20<<random.IntN(5)
		s.Limits.Commands = testCommands
	})
	c := r.raw(false)
	c.cmdSN = 1
	answer := c.logIn(agreed(how)...)
	s := &scramble{raw: c, Rand: random}
	for range 1 + random.IntN(80) {
		if _, err := c.net.Write(s.request()); err != nil {
			break
		}
		if random.IntN(3) == 0 {
			s.look()
		}
	}
	time.Sleep(time.Second) // what is under way ends
	c.net.Close()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	r.server.Shutdown(over)
	checkNumbers(t, answer.StatSN(), append(s.got, c.ends()...))
	if store.out != 0 {
		t.Errorf("%d bytes are not given back to the store", store.out)
	}
}
