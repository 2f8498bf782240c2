package initiator

import (
	"fmt"

	"forebay/protocols/iscsi"
	"forebay/protocols/sock"
)

// corkedReader holds the writer back from when the socket brings something until it is asked for more, when what has gathered is
// flushed.
type corkedReader struct {
	s    *Session
	from *sock.Reader
}

func (r corkedReader) Read(p []byte) (int, error) {
	s := r.s
	s.flush()
	n, err := r.from.Read(p)
	if n > 0 {
		s.received.Add(1)
	}
	if err != nil {
		return n, fmt.Errorf("connection lost: %w", err)
	}
	s.mu.Lock()
	s.mu.corked = true
	s.mu.Unlock()
	return n, nil
}

// readLoop takes PDUs until the session fails, and returns why.
func (s *Session) readLoop() error {
	for {
		h, err := s.in.header()
		if err == nil {
			err = s.dispatch(h)
		}
		if err != nil {
			return err
		}
	}
}

func (s *Session) dispatch(h iscsi.Header) error {
	switch h.Opcode() {
	case iscsi.OpDataIn:
		return s.dataIn(h)
	case iscsi.OpSCSIResponse:
		return s.response(h)
	}
	data, err := s.in.segment(h.DataLength())
	if err != nil {
		return err
	}
	switch h.Opcode() {
	case iscsi.OpR2T:
		return s.readyToTransfer(h)
	case iscsi.OpNopIn:
		return s.nopIn(h, data)
	case iscsi.OpTaskMgmtResp:
		return s.managed(h)
	case iscsi.OpLogoutResp:
		return s.loggedOut(h)
	case iscsi.OpAsync:
		return s.async(h)
	case iscsi.OpReject:
		return protocolError("the target rejected a PDU, reason %02xh", h.Response())
	}
	return protocolError("unexpected PDU %02xh", byte(h.Opcode()))
}

// window takes the command window from any PDU of the target (RFC 7143 4.2.2.1) and sends what fits in now. s.mu is held.
func (s *Session) window(h iscsi.Header) {
	highest, expected := h.MaxCmdSN(), h.ExpCmdSN()
	if iscsi.SerialLess(highest, expected-1) || !iscsi.SerialLess(s.mu.maxCmdSN, highest) {
		return
	}
	s.mu.maxCmdSN = highest
	s.advance()
}

// acknowledge takes StatSN and the window from a PDU that carries a status. s.mu is held.
func (s *Session) acknowledge(h iscsi.Header) {
	if next := h.StatSN() + 1; iscsi.SerialLess(s.mu.expStatSN, next) {
		s.mu.expStatSN = next
	}
	s.window(h)
}

// Events of an Asynchronous Message (RFC 7143 11.9.1).
const (
	asyncLogout         = 1
	asyncDropConnection = 2
	asyncDropSession    = 3
	asyncNegotiate      = 4
)

func (s *Session) async(h iscsi.Header) error {
	s.mu.Lock()
	s.acknowledge(h)
	s.mu.Unlock()
	switch event := h[36]; event {
	case asyncLogout, asyncNegotiate: // not to negotiate when asked to is answered by a logout (RFC 7143 11.9.1)
		s.end(ErrLogoutRequested)
	case asyncDropConnection, asyncDropSession:
		return protocolError("the target drops the connection")
	}
	return nil
}
