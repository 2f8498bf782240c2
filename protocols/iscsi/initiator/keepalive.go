package initiator

import (
	"fmt"
	"time"

	"forebay/protocols/iscsi"
)

const (
	maxEcho       = 4 << 10 // bytes of a ping that we send back
	maxEchoes     = 64
	deadlineTicks = 10 // in CommandTimeout
)

// keepalive asks for a sign of life when the target is silent, and ends the session when it stays so.
func (s *Session) keepalive() {
	ticker := time.NewTicker(s.opts.NopInterval)
	defer ticker.Stop()
	before := s.received.Load()
	for {
		select {
		case <-s.over:
			return
		case <-ticker.C:
		}
		now := s.received.Load()
		if now == before && !s.ping() {
			s.fail(ErrTimeout)
			return
		}
		before = now
	}
}

// ping asks for a sign of life. It returns false when one that was asked for before has not come.
func (s *Session) ping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.bye {
		return true // the logout asks
	}
	if s.mu.pinged {
		return false
	}
	s.mu.pinged = true
	h := s.request(iscsi.OpNopOut, &request{response: iscsi.OpNopIn})
	h.SetFlags(iscsi.FlagFinal)
	h.SetTargetTag(iscsi.ReservedTag)
	s.seal(h)
	s.kick()
	return true
}

// nopIn answers a ping, or takes the answer to ours (RFC 7143 11.19).
func (s *Session) nopIn(h iscsi.Header, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.InitiatorTag() != iscsi.ReservedTag {
		if s.answer(h) == nil {
			return protocolError("an answer to no ping")
		}
		s.mu.pinged = false
		return nil
	}
	s.window(h)
	if h.TargetTag() == iscsi.ReservedTag {
		return nil // it only brought the window
	}
	return s.echo(h, data)
}

// echo answers a ping. s.mu is held.
func (s *Session) echo(h iscsi.Header, data []byte) error {
	if s.mu.echoes++; s.mu.echoes > maxEchoes {
		return protocolError("more than %d pings outstanding", maxEchoes)
	}
	s.mu.out.echoes++
	data = data[:min(len(data), maxEcho, s.params.MaxSend)]
	out := s.mu.out.header()
	out.SetOpcode(iscsi.OpNopOut)
	out.SetImmediate()
	out.SetFlags(iscsi.FlagFinal)
	out.SetLUN(h.LUN())
	out.SetInitiatorTag(iscsi.ReservedTag)
	out.SetTargetTag(h.TargetTag())
	out.SetCmdSN(s.mu.cmdSN)
	out.SetExpStatSN(s.mu.expStatSN)
	out.SetDataLength(len(data))
	s.seal(out)
	if len(data) > 0 {
		s.mu.out.data(append([]byte(nil), data...), s.params.DataDigest) // data is the reader's
	}
	s.kick()
	return nil
}

// deadlines ends the session when a command has not been completed within CommandTimeout, or a tenth of it more.
func (s *Session) deadlines() {
	ticker := time.NewTicker(max(s.opts.CommandTimeout/deadlineTicks, 1))
	defer ticker.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-ticker.C:
		}
		if s.overdue() {
			s.fail(fmt.Errorf("%w: a command had no answer for %s", ErrTimeout, s.opts.CommandTimeout))
			return
		}
	}
}

// overdue counts a tick and says whether a command has been here for longer than CommandTimeout. It counts from Submit: a window that
// stays closed is no answer either, nor is one to a command whose data the target does not take.
func (s *Session) overdue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.epoch++
	for _, c := range s.mu.slots {
		if c != nil && s.mu.epoch-c.epoch > deadlineTicks {
			return true
		}
	}
	return false
}
