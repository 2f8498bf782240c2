package initiator

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

// underFire returns a session over a pipe with three commands outstanding, the end of the target, and how the commands end.
func underFire(t testing.TB, params iscsi.Params) (*Session, net.Conn, chan *Command) {
	ours, theirs := net.Pipe()
	s := start(Options{Commands: 4}.withDefaults(), ours, newReceiver(ours), params, 1, 10, 1)
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	ended := make(chan *Command, 4)
	commands := []*Command{{In: make([]byte, 1024)}, {Out: make([]byte, 8192)}, {}}
	for _, c := range commands {
		c.Done = func(c *Command) { ended <- c }
		if err := s.Submit(c); err != nil {
			t.Fatal(err)
		}
	}
	return s, theirs, ended
}

// Tags of the commands of underFire.
const (
	readTag  = 1 << 16
	writeTag = 2<<16 | 1
	plainTag = 3<<16 | 2
)

func pdu(op iscsi.Opcode, tag uint32, change func(h iscsi.Header)) []byte {
	h := make(iscsi.Header, iscsi.HeaderLength)
	h.SetOpcode(op)
	h.SetFlags(iscsi.FlagFinal)
	h.SetInitiatorTag(tag)
	h.SetTargetTag(iscsi.ReservedTag)
	h.SetMaxCmdSN(10)
	if change != nil {
		change(h)
	}
	return append(h, make([]byte, h.DataLength()+iscsi.Pad(h.DataLength()))...)
}

func TestAHostileTargetEndsTheSessionAndNothingElse(t *testing.T) {
	for name, p := range map[string][]byte{
		"data for no command":        pdu(iscsi.OpDataIn, 99, func(h iscsi.Header) { h.SetDataLength(4) }),
		"data beyond the buffer":     pdu(iscsi.OpDataIn, readTag, func(h iscsi.Header) { h.SetDataLength(1028) }),
		"data at a wrong offset":     pdu(iscsi.OpDataIn, readTag, func(h iscsi.Header) { h.SetDataLength(4); h.SetBufferOffset(0xfffffffc) }),
		"data out of sequence":       pdu(iscsi.OpDataIn, readTag, func(h iscsi.Header) { h.SetDataLength(4); h.SetDataSN(1) }),
		"data for a write":           pdu(iscsi.OpDataIn, writeTag, func(h iscsi.Header) { h.SetDataLength(4) }),
		"R2T beyond the data":        pdu(iscsi.OpR2T, writeTag, func(h iscsi.Header) { h.SetBufferOffset(8000); h.SetDesiredLength(512) }),
		"R2T of nothing":             pdu(iscsi.OpR2T, writeTag, nil),
		"R2T for a read":             pdu(iscsi.OpR2T, readTag, func(h iscsi.Header) { h.SetDesiredLength(512) }),
		"R2T that wraps":             pdu(iscsi.OpR2T, writeTag, func(h iscsi.Header) { h.SetBufferOffset(0xffffff00); h.SetDesiredLength(512) }),
		"a response for no command":  pdu(iscsi.OpSCSIResponse, 0x7fffffff, nil),
		"a response in a lost slot":  pdu(iscsi.OpSCSIResponse, 0xffff, nil),
		"an answer to no ping":       pdu(iscsi.OpNopIn, requestTag|5, nil),
		"an answer to no management": pdu(iscsi.OpTaskMgmtResp, requestTag|1, nil),
		"an answer to no logout":     pdu(iscsi.OpLogoutResp, requestTag|1, nil),
		"a segment without end":      pdu(iscsi.OpNopIn, iscsi.ReservedTag, func(h iscsi.Header) { h.SetDataLength(1<<24 - 1) })[:iscsi.HeaderLength],
		"a login in the middle":      pdu(iscsi.OpLoginResp, 1, nil),
		"a request of an initiator":  pdu(iscsi.OpSCSICommand, readTag, nil),
		"a reject":                   pdu(iscsi.OpReject, iscsi.ReservedTag, nil),
		"an announcement of the end": pdu(iscsi.OpAsync, iscsi.ReservedTag, func(h iscsi.Header) { h[36] = asyncDropSession }),
	} {
		t.Run(name, func(t *testing.T) {
			s, target, ended := underFire(t, iscsi.DefaultParams(1<<20))
			if _, err := target.Write(p); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if c := <-ended; !errors.Is(c.Err, ErrOutcomeUnknown) {
					t.Errorf("a command ended with %v", c.Err)
				}
			}
			<-s.done
			if !errors.Is(s.Err(), ErrProtocol) {
				t.Errorf("the session ended with %v", s.Err())
			}
		})
	}
}

func TestFloodsOfRequestsAreBounded(t *testing.T) {
	for name, p := range map[string][]byte{
		"R2Ts":  pdu(iscsi.OpR2T, writeTag, func(h iscsi.Header) { h.SetDesiredLength(512) }),
		"pings": pdu(iscsi.OpNopIn, iscsi.ReservedTag, func(h iscsi.Header) { h.SetTargetTag(1) }),
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe() // nobody takes what we send
			s := start(Options{}.withDefaults(), ours, newReceiver(ours), iscsi.DefaultParams(1<<20), 1, 10, 1)
			for i, c := range []*Command{{In: make([]byte, 4)}, {Out: make([]byte, 8192)}} {
				c.Done = func(*Command) {}
				if err := s.Submit(c); err != nil {
					t.Fatal(i, err)
				}
			}
			for range 2 * maxEchoes {
				if _, err := theirs.Write(p); err != nil {
					break
				}
			}
			<-s.done
			if !errors.Is(s.Err(), ErrProtocol) {
				t.Errorf("the session ended with %v", s.Err())
			}
		})
	}
}

func TestADigestErrorEndsTheSession(t *testing.T) {
	params := iscsi.DefaultParams(1 << 20)
	params.HeaderDigest, params.DataDigest = true, true
	whole := pdu(iscsi.OpDataIn, readTag, func(h iscsi.Header) { h.SetDataLength(1024) })
	signed := func() []byte {
		p := append([]byte(nil), whole[:iscsi.HeaderLength]...)
		p = le32(p, iscsi.Digest(0, p))
		p = append(p, whole[iscsi.HeaderLength:]...)
		return le32(p, iscsi.Digest(0, whole[iscsi.HeaderLength:]))
	}
	for name, at := range map[string]int{"header": 40, "header digest": iscsi.HeaderLength, "data": 100, "data digest": len(signed()) - 1} {
		t.Run(name, func(t *testing.T) {
			s, target, ended := underFire(t, params)
			p := signed()
			p[at] ^= 1
			_, _ = target.Write(p) // it may be cut off
			for range 3 {
				if c := <-ended; !errors.Is(c.Err, ErrDigest) || !errors.Is(c.Err, ErrOutcomeUnknown) {
					t.Errorf("a command ended with %v", c.Err)
				}
			}
			<-s.done
		})
	}
}

func le32(p []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(p, v) }

func FuzzTarget(f *testing.F) {
	status := func(h iscsi.Header) { h.SetFlags(iscsi.FlagFinal | iscsi.FlagStatus); h.SetDataLength(1024) }
	f.Add(pdu(iscsi.OpDataIn, readTag, status), false)
	f.Add(pdu(iscsi.OpR2T, writeTag, func(h iscsi.Header) { h.SetDesiredLength(8192) }), false)
	f.Add(pdu(iscsi.OpSCSIResponse, plainTag, func(h iscsi.Header) { h.SetDataLength(20); h.SetStatus(2) }), false)
	f.Add(pdu(iscsi.OpNopIn, iscsi.ReservedTag, func(h iscsi.Header) { h.SetTargetTag(1); h.SetDataLength(5) }), false)
	f.Add(pdu(iscsi.OpAsync, iscsi.ReservedTag, func(h iscsi.Header) { h[36] = asyncLogout }), false)
	f.Add(pdu(iscsi.OpReject, iscsi.ReservedTag, nil), true)
	f.Fuzz(func(t *testing.T, p []byte, digests bool) {
		defer hangs()()
		params := iscsi.DefaultParams(1 << 20)
		params.HeaderDigest, params.DataDigest = digests, digests
		s, target, ended := underFire(t, params)
		_ = target.SetWriteDeadline(time.Now().Add(time.Second)) // the session may have ended in the middle
		_, _ = target.Write(p)
		target.Close()
		for range 3 {
			<-ended
		}
		<-s.done
	})
}

func FuzzLogin(f *testing.F) {
	answer := pdu(iscsi.OpLoginResp, 1, func(h iscsi.Header) { h.SetFlags(0x81) })
	f.Add(append(answer, pdu(iscsi.OpLoginResp, 1, func(h iscsi.Header) { h.SetFlags(0x87) })...))
	chap := iscsi.EncodeText([]iscsi.KeyValue{{Key: "AuthMethod", Value: "CHAP"}})
	first := pdu(iscsi.OpLoginResp, 1, func(h iscsi.Header) { h.SetFlags(0); h.SetDataLength(len(chap)) })
	copy(first[iscsi.HeaderLength:], chap)
	f.Add(first)
	f.Fuzz(func(t *testing.T, p []byte) {
		defer hangs()()
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		go func() {
			_, _ = theirs.Write(p)
			theirs.Close()
		}()
		o := Options{CHAP: iscsi.Credentials{User: "u", Secret: "s", MutualUser: "m", MutualSecret: "n"}}.withDefaults()
		l := &login{opts: o, conn: ours, in: newReceiver(ours), params: iscsi.DefaultParams(o.Limits.MaxRecv), cmdSN: 1}
		_ = l.run() // it must end
	})
}

// hangs ends the process when the function that it returns is not called soon.
func hangs() (over func() bool) {
	return time.AfterFunc(10*time.Second, func() { panic("it hangs") }).Stop
}

// A target may answer a write before it has taken all of its data. The data is ours to send until it is out: nobody else may touch it.
func TestACommandIsNotCompleteWhileItsDataIsBeingSent(t *testing.T) {
	ours, theirs := net.Pipe()
	s := start(Options{}.withDefaults(), ours, newReceiver(ours), iscsi.DefaultParams(1<<20), 1, 10, 1)
	defer s.Abandon()
	done := make(chan struct{})
	c := &Command{Out: make([]byte, 8192), Done: func(*Command) { close(done) }}
	if err := s.Submit(c); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(theirs, make([]byte, iscsi.HeaderLength)); err != nil { // the writer is in the middle now
		t.Fatal(err)
	}
	answer := pdu(iscsi.OpSCSIResponse, 1<<16, nil)
	nothing := pdu(iscsi.OpNopIn, iscsi.ReservedTag, nil)
	for _, p := range [][]byte{answer, nothing} { // when the second one is taken, the first one is dealt with
		if _, err := theirs.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-done:
		t.Error("it is complete")
	default:
	}
	if _, err := io.ReadFull(theirs, make([]byte, 8192)); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := c.Failure(); err != nil {
		t.Error(err)
	}
}
