package target

import (
	"errors"
	"net"
	"os"
	"time"

	"forebay/protocols/iscsi"
)

// logIn runs the login phase over the connection, and says whether there is a session now.
func (c *conn) logIn() bool {
	_ = c.net.SetDeadline(time.Now().Add(c.srv.opts.Limits.Login))
	l := newLogin(c.srv.opts.Catalog, c.srv.opts.Alias)
	err := c.exchange(l)
	if err == nil {
		_ = c.net.SetDeadline(time.Time{}) // fails if the connection has been cut, which the reader finds out
		return true
	}
	if c.session != nil { // entered, but the initiator is gone
		c.session.cancel()
		c.srv.leave(c.session)
	}
	line := c.log.Warn().Str("initiator", l.initiator)
	if l.target != nil {
		line.Str("target", l.target.Name)
	}
	var failed *loginError
	switch {
	case errors.As(err, &failed):
		line.Hex("status", []byte{byte(failed.status >> 8), byte(failed.status)}).Str("reason", failed.reason).Msg("login refused")
		c.linger()
	case errors.Is(err, os.ErrDeadlineExceeded):
		line.Dur("limit", c.srv.opts.Limits.Login).Msg("login took too long")
	case errors.Is(err, net.ErrClosed) || l.requests == 0: // a probe of the port, or our own end
		c.log.Debug().Err(err).Msg("connection without a login")
	default:
		line.Err(err).Msg("login broken off")
	}
	return false
}

// exchange takes login requests and answers them, up to the last one.
func (c *conn) exchange(l *login) error {
	for !l.done() {
		extended, err := c.in.header(c.h[:])
		h := iscsi.Header(c.h[:])
		if err != nil {
			return err
		}
		if extended || h.DataLength() > loginSegment || l.requests == 0 && h.Opcode() != iscsi.OpLogin {
			return protocolError("no login request")
		}
		data, err := c.segment(h.DataLength())
		if err != nil {
			return err
		}
		reply, err := l.step(h, data)
		if err == nil && l.done() {
			err = c.enter(l)
		}
		if sent := c.answerLogin(h, l, reply, err); err == nil {
			err = sent
		}
		if err != nil {
			return err
		}
	}
	c.in.headerDigest, c.in.dataDigest = l.params.HeaderDigest, l.params.DataDigest
	c.out.mu.Lock()
	c.out.headerDigest, c.out.dataDigest = l.params.HeaderDigest, l.params.DataDigest
	c.out.mu.Unlock()
	return nil
}

// enter makes the session of a login that is complete.
func (c *conn) enter(l *login) error {
	c.params, c.cid = l.params, l.cid
	c.window.open(l.cmdSN, c.srv.opts.Limits.Commands)
	c.session = newSession(c, l) // before others can reach it
	if err := c.srv.enter(c.session, l.tsih); err != nil {
		c.session.cancel()
		c.session = nil
		return err
	}
	return nil
}

// answerLogin sends a Login Response: the reply, or the status that an error stands for.
func (c *conn) answerLogin(request iscsi.Header, l *login, reply loginReply, err error) error {
	status := iscsi.LoginSuccess
	var failed *loginError
	if errors.As(err, &failed) {
		status, reply = failed.status, loginReply{stage: request.CurrentStage()}
		_ = c.net.SetWriteDeadline(time.Now().Add(lingerTimeout)) // the login may have taken all its time
	} else if err != nil {
		return err
	}
	c.out.mu.Lock()
	b := c.out.gathering
	h := c.out.header(b)
	h.SetOpcode(iscsi.OpLoginResp)
	if reply.transit {
		h.SetFlags(iscsi.FlagFinal)
	}
	h.SetStages(reply.stage, reply.next)
	h.SetISID(l.isid[:])
	h.SetTSIH(l.tsih)
	commands := uint32(1)
	if c.session != nil {
		h.SetTSIH(c.session.tsih)
		commands = uint32(c.srv.opts.Limits.Commands)
	}
	h.SetInitiatorTag(request.InitiatorTag())
	if status == iscsi.LoginSuccess {
		h.SetStatSN(c.out.nextStatSN())
	}
	h.SetExpCmdSN(l.cmdSN)
	h.SetMaxCmdSN(l.cmdSN + commands - 1)
	h.SetLoginStatus(status)
	c.out.pdu(b, h, iscsi.EncodeText(reply.keys))
	c.out.mu.Unlock()
	return c.out.drain()
}
