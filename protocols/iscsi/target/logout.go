package target

import (
	"time"

	"forebay/protocols/iscsi"
)

// logout ends the session, or its one connection, which is the same (RFC 7143 11.14). What is under way is aborted and finished first.
func (c *conn) logout(h iscsi.Header) error {
	code := byte(iscsi.LogoutSuccess)
	switch reason := h.Flags() & 0x7f; {
	case reason == iscsi.LogoutSession:
	case reason == iscsi.LogoutConnection && h.CID() == c.cid:
	case reason == iscsi.LogoutConnection:
		code = iscsi.LogoutNoCID
	case reason == iscsi.LogoutRecovery:
		code = iscsi.LogoutNoRecovery
	default:
		return c.reject(h, iscsi.RejectInvalidField, 0)
	}
	if code == iscsi.LogoutSuccess {
		wait := c.session.abort(everything)
		if err := c.kickAndFlush(); err != nil { // what was answered before need not wait for the devices
			return err
		}
		for _, ended := range wait {
			<-ended
		}
	}
	c.answer(iscsi.OpLogoutResp, h, nil, func(r iscsi.Header) { r.SetResponse(code) })
	if code == iscsi.LogoutSuccess {
		return errLoggedOut
	}
	return nil
}

// requestLogout asks the initiator to log out within the time given (RFC 7143 11.9.1).
func (c *conn) requestLogout(within time.Duration) {
	x := c.session
	if !x.begin() {
		return
	}
	c.out.mu.Lock()
	b := c.out.gathering
	h := c.reply(b, iscsi.OpAsync, iscsi.ReservedTag)
	h.SetStatSN(c.out.nextStatSN())
	h.SetAsync(iscsi.AsyncLogout, uint16(min(within/time.Second+1, 1<<16-1)))
	c.out.head(b, h, 0)
	c.out.mu.Unlock()
	go func() { // it may wait for a peer that doesn't read
		defer x.running.Done()
		_ = c.out.flush()
	}()
}
