package target

import (
	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

// respond queues a task's data-in and its status, which the last Data-In PDU carries if it can (RFC 7143 11.7.3). It says whether the
// batch keeps the task, as its data has yet to be sent. Preconditions: outbox.mu is held.
func (c *conn) respond(b *batch, t *task) (kept bool) {
	sent := 0
	if t.flags&iscsi.FlagRead != 0 {
		sent = min(t.cmd.Data.Len(), t.edtl)
	}
	if sent == 0 {
		c.status(b, t, 0)
		return false
	}
	b.tasks = append(b.tasks, t)
	collapsed := t.cmd.Status == scsi.StatusGood
	pdus := c.dataIn(b, t, sent, collapsed)
	if !collapsed {
		c.status(b, t, pdus)
	}
	return true
}

// dataIn queues n bytes of data-in as Data-In PDUs, and returns how many.
func (c *conn) dataIn(b *batch, t *task, n int, collapsed bool) (pdus uint32) {
	segments, from := t.cmd.Data.Segments(), 0
	for at := 0; at < n; pdus++ {
		length := min(n-at, c.params.MaxSend, c.params.MaxBurst-at%c.params.MaxBurst)
		h := c.reply(b, iscsi.OpDataIn, t.tag)
		h.SetFlags(0)
		h.SetTargetTag(iscsi.ReservedTag)
		h.SetDataSN(pdus)
		h.SetBufferOffset(uint32(at))
		at += length
		switch {
		case at == n && collapsed:
			flag, residual := t.residual(n)
			h.SetFlags(iscsi.FlagFinal | iscsi.FlagStatus | flag)
			h.SetResidual(residual)
			h.SetStatSN(c.out.nextStatSN())
		case at == n || at%c.params.MaxBurst == 0:
			h.SetFlags(iscsi.FlagFinal)
			fallthrough
		default:
			h.SetStatSN(0) // no status, no number
		}
		c.out.head(b, h, length)
		first := len(b.pieces)
		for left := length; left > 0; {
			p := segments[0][from:]
			p = p[:min(len(p), left)]
			b.add(p)
			left -= len(p)
			if from += len(p); from == len(segments[0]) {
				segments, from = segments[1:], 0
			}
		}
		c.out.tail(b, length, b.pieces[first:])
	}
	return pdus
}

// status queues a SCSI Response. pdus is the number of Data-In PDUs before it.
func (c *conn) status(b *batch, t *task, pdus uint32) {
	h := c.reply(b, iscsi.OpSCSIResponse, t.tag)
	h.SetStatSN(c.out.nextStatSN())
	sent := 0
	if pdus > 0 {
		sent = min(t.cmd.Data.Len(), t.edtl)
	}
	flag, residual := t.residual(sent)
	h.SetFlags(iscsi.FlagFinal | flag)
	h.SetResidual(residual)
	h.SetStatus(byte(t.cmd.Status))
	h.SetDataSN(pdus + t.r2tSN) // ExpDataSN
	sense := t.cmd.Sense()
	if len(sense) == 0 {
		c.out.head(b, h, 0)
		return
	}
	p := b.slot(2 + len(sense)) // SenseLength before the sense data (RFC 7143 11.4.7.2)
	p[1] = byte(len(sense))
	copy(p[2:], sense)
	c.out.pdu(b, h, p)
}

// residual compares what the CDB asked to transfer with what the initiator expected (RFC 7143 11.4.5).
func (t *task) residual(sent int) (flag byte, n uint32) {
	want := t.cmd.Want
	if want < 0 {
		want = max(sent, t.got)
	}
	switch {
	case want > t.edtl:
		return iscsi.FlagOverflow, uint32(want - t.edtl)
	case want < t.edtl:
		return iscsi.FlagUnderflow, uint32(t.edtl - want)
	}
	return 0, 0
}

// reply returns a header with what all PDUs of the target have: F, the tag and the window. Preconditions:
// outbox.mu is held.
func (c *conn) reply(b *batch, op iscsi.Opcode, tag uint32) iscsi.Header {
	h := c.out.header(b)
	h.SetOpcode(op)
	h.SetFlags(iscsi.FlagFinal)
	h.SetInitiatorTag(tag)
	h.SetStatSN(c.out.statSN)
	h.SetExpCmdSN(c.window.exp.Load())
	h.SetMaxCmdSN(c.window.max.Load())
	return h
}

// answer queues a response that has a StatSN, after fill has completed its header, and gives back the place of a command that took one.
func (c *conn) answer(op iscsi.Opcode, request iscsi.Header, data []byte, fill func(h iscsi.Header)) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.window.answered(c.window.took(request), c.budget.crowded())
	b := c.out.gathering
	h := c.reply(b, op, request.InitiatorTag())
	h.SetStatSN(c.out.nextStatSN())
	if fill != nil {
		fill(h)
	}
	c.out.pdu(b, h, data)
}

// reject answers a PDU that can't be served with its own header, having read over the n bytes of its data segment.
func (c *conn) reject(h iscsi.Header, reason byte, n int) error {
	if err := c.in.discard(n); err != nil {
		return err
	}
	header := append([]byte(nil), h[:iscsi.HeaderLength]...)
	request := append(iscsi.Header(nil), header...)
	request.SetInitiatorTag(iscsi.ReservedTag)
	if !hasCmdSN(h.Opcode()) {
		request.SetImmediate() // it took no place
	}
	c.answer(iscsi.OpReject, request, header, func(r iscsi.Header) { r.SetResponse(reason) })
	return nil
}

// hasCmdSN says whether requests of a kind take a place in the command window.
func hasCmdSN(op iscsi.Opcode) bool {
	switch op {
	case iscsi.OpSCSICommand, iscsi.OpTaskMgmt, iscsi.OpText, iscsi.OpNopOut, iscsi.OpLogout:
		return true
	}
	return false
}
