package initiatortest

import (
	"forebay/protocols/iscsi"
)

// pending is a write whose data is on its way.
type pending struct {
	command iscsi.Header
	data    []byte
	have    int // bytes that came
	asked   int // bytes that came unsolicited or were asked for
	r2ts    uint32
}

// serve answers PDUs one after the other.
func (c *Conn) serve() {
	for {
		h, data, err := c.read()
		if err != nil {
			return
		}
		if h.Opcode() == iscsi.OpSCSICommand && !h.Immediate() {
			c.mu.Lock()
			inTurn := h.CmdSN() == c.expCmdSN
			c.expCmdSN++
			c.mu.Unlock()
			if !inTurn {
				return
			}
		}
		if f := c.target.Intercept; f != nil && f(c, h, data) {
			continue
		}
		if !c.Handle(h, data) {
			return
		}
	}
}

// Handle is what a well-behaved target does with a PDU. It returns false when the connection ends.
func (c *Conn) Handle(h iscsi.Header, data []byte) bool {
	switch h.Opcode() {
	case iscsi.OpSCSICommand:
		c.command(h, data)
	case iscsi.OpDataOut:
		return c.dataOut(h, data)
	case iscsi.OpNopOut:
		if h.InitiatorTag() != iscsi.ReservedTag {
			c.Send(Reply(iscsi.OpNopIn, h), data, true)
		}
	case iscsi.OpTaskMgmt:
		c.Send(Reply(iscsi.OpTaskMgmtResp, h), nil, true)
	case iscsi.OpText:
		c.Send(Reply(iscsi.OpTextResp, h), iscsi.EncodeText(c.target.Records), true)
	case iscsi.OpLogout:
		c.Send(Reply(iscsi.OpLogoutResp, h), nil, true)
		return false
	}
	return true
}

// command executes a command, or begins to take its data.
func (c *Conn) command(h iscsi.Header, data []byte) {
	n := int(h.ExpectedLength())
	if h.Flags()&iscsi.FlagWrite == 0 || n == 0 {
		c.execute(h, nil)
		return
	}
	w := &pending{command: h, data: make([]byte, n)}
	w.have = copy(w.data, data)
	if w.asked = w.have; !h.Final() {
		w.asked = min(n, c.params.FirstBurst)
	}
	c.writes[h.InitiatorTag()] = w
	c.proceed(w)
}

func (c *Conn) dataOut(h iscsi.Header, data []byte) bool {
	w := c.writes[h.InitiatorTag()]
	if w == nil || int(h.BufferOffset())+len(data) > len(w.data) {
		return false
	}
	copy(w.data[h.BufferOffset():], data)
	if w.have += len(data); h.Final() && h.TargetTag() != iscsi.ReservedTag {
		w.r2ts--
	}
	c.proceed(w)
	return true
}

// proceed asks for more of a write, or ends it.
func (c *Conn) proceed(w *pending) {
	if w.have == len(w.data) {
		delete(c.writes, w.command.InitiatorTag())
		c.execute(w.command, w.data)
		return
	}
	for w.asked < len(w.data) && int(w.r2ts) < c.params.MaxOutstandingR2T {
		n := min(len(w.data)-w.asked, c.params.MaxBurst)
		r := Reply(iscsi.OpR2T, w.command)
		r.SetTargetTag(uint32(w.asked))
		r.SetBufferOffset(uint32(w.asked))
		r.SetDesiredLength(uint32(n))
		w.asked += n
		w.r2ts++
		c.Send(r, nil, false)
	}
}

// SendData answers a read, as far as the initiator has room, with GOOD in the last Data-In.
func (c *Conn) SendData(request iscsi.Header, p []byte) {
	total, room := len(p), int(request.ExpectedLength())
	p = p[:min(total, room)]
	for sn, at := uint32(0), 0; ; sn++ {
		n := min(len(p)-at, c.params.MaxSend)
		last := at+n == len(p)
		h := Reply(iscsi.OpDataIn, request)
		h.SetFlags(0)
		if last {
			h.SetFlags(iscsi.FlagFinal | iscsi.FlagStatus)
			if total < room {
				h.SetFlags(iscsi.FlagFinal | iscsi.FlagStatus | iscsi.FlagUnderflow)
				h.SetResidual(uint32(room - total))
			}
		}
		h.SetDataSN(sn)
		h.SetBufferOffset(uint32(at))
		c.Send(h, p[at:at+n], last)
		if at += n; last {
			return
		}
	}
}

// Status ends a command without data.
func (c *Conn) Status(request iscsi.Header, status byte, sense []byte) {
	h := Reply(iscsi.OpSCSIResponse, request)
	h.SetTargetTag(0)
	h.SetStatus(status)
	var data []byte
	if len(sense) > 0 {
		data = append([]byte{byte(len(sense) >> 8), byte(len(sense))}, sense...)
	}
	if n := request.ExpectedLength(); n > 0 && request.Flags()&iscsi.FlagRead != 0 {
		h.SetFlags(iscsi.FlagFinal | iscsi.FlagUnderflow)
		h.SetResidual(n)
	}
	c.Send(h, data, true)
}
