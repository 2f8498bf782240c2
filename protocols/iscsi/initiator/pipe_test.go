package initiator

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

// peer is a target at the other end of a pipe, which does what the test says. Over a pipe nothing is buffered: what the peer has not
// read the session has not sent.
type peer struct {
	net.Conn
	t testing.TB
}

// overPipe returns a session in its full feature phase, with a window of ten commands, and its target.
func overPipe(t testing.TB, o Options, params iscsi.Params) (*Session, *peer) {
	ours, theirs := net.Pipe()
	s := start(o.withDefaults(), ours, newReceiver(ours), params, 1, 10, 1)
	t.Cleanup(s.Abandon)
	return s, &peer{theirs, t}
}

// next reads a PDU, or says that the connection is gone.
func (p *peer) next() (h iscsi.Header, data []byte, ok bool) {
	h = make(iscsi.Header, iscsi.HeaderLength)
	if _, err := io.ReadFull(p, h); err != nil {
		return nil, nil, false
	}
	data = make([]byte, h.DataLength()+iscsi.Pad(h.DataLength()))
	if _, err := io.ReadFull(p, data); err != nil {
		return nil, nil, false
	}
	return h, data[:h.DataLength()], true
}

// expect reads a PDU of a kind.
func (p *peer) expect(op iscsi.Opcode) (iscsi.Header, []byte) {
	p.t.Helper()
	h, data, ok := p.next()
	if !ok || h.Opcode() != op {
		p.t.Fatalf("got %v instead of PDU %02xh", h, byte(op))
	}
	return h, data
}

func (p *peer) send(op iscsi.Opcode, tag uint32, change func(h iscsi.Header)) {
	_, _ = p.Write(pdu(op, tag, change)) // it may be cut off
}

// nothing is a PDU that only brings the window. When it is taken, what was sent before is dealt with.
func (p *peer) nothing() { p.send(iscsi.OpNopIn, iscsi.ReservedTag, nil) }

// answerPings answers pings, and nothing else, until the connection is gone.
func (p *peer) answerPings() {
	for h, _, ok := p.next(); ok; h, _, ok = p.next() {
		if h.Opcode() == iscsi.OpNopOut {
			p.send(iscsi.OpNopIn, h.InitiatorTag(), nil)
		}
	}
}

// submit submits a command and returns how it ends.
func submit(t testing.TB, s *Session, c *Command) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	c.Done = func(c *Command) { ended <- c.Failure() }
	if err := s.Submit(c); err != nil {
		t.Fatal(err)
	}
	return ended
}

// wantBetween fails unless a time lies within limits.
func wantBetween(t testing.TB, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s took %s, not %s to %s", what, got, least, most)
	}
}

func wantErrors(t testing.TB, what string, got error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(got, w) {
			t.Errorf("%s: %v, which is not %v", what, got, w)
		}
	}
}
