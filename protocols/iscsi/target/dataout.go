package target

import "forebay/protocols/iscsi"

// solicit lets a task collect data into its whole buffer, and sends as many R2Ts as may be outstanding. It consumes the caller's hold
// in the same step: the data may be here, and the reader be done with the task, before this returns.
func (c *conn) solicit(t *task) {
	x := c.session
	x.mu.Lock()
	if t.aborted {
		x.mu.Unlock()
		x.letGo(t)
		return
	}
	t.state = collecting
	t.holders--
	c.out.mu.Lock()
	c.queueR2Ts(t)
	c.out.mu.Unlock()
	x.mu.Unlock()
}

// queueR2Ts queues the R2Ts of a task that may be outstanding now. Preconditions: outbox.mu is held.
func (c *conn) queueR2Ts(t *task) {
	for i := range t.r2ts[:c.params.MaxOutstandingR2T] {
		r := &t.r2ts[i]
		if r.length > 0 || t.asked == t.want {
			continue
		}
		c.lastTag++
		if c.lastTag == iscsi.ReservedTag {
			c.lastTag = 0
		}
		*r = r2t{tag: c.lastTag, offset: t.asked, length: min(c.params.MaxBurst, t.want-t.asked)}
		b := c.out.gathering
		h := c.reply(b, iscsi.OpR2T, t.tag)
		h.SetLUN(t.lun[:])
		h.SetTargetTag(r.tag)
		h.SetDataSN(t.r2tSN)
		h.SetBufferOffset(uint32(r.offset))
		h.SetDesiredLength(uint32(r.length))
		c.out.head(b, h, 0)
		t.asked += r.length
		t.r2tSN++
	}
}

// dataOut takes a Data-Out PDU. Data of a task that is no more (aborted, refused) is read over.
func (c *conn) dataOut(h iscsi.Header) error {
	n := h.DataLength()
	t := c.session.hold(h.InitiatorTag())
	if t == nil {
		return c.in.discard(n)
	}
	var err error
	if h.TargetTag() == iscsi.ReservedTag {
		err = c.unsolicited(t, h, n)
	} else {
		err = c.solicited(t, h, n)
	}
	if err != nil {
		c.session.letGo(t)
		return err
	}
	c.advance(t)
	return nil
}

// unsolicited takes the next part of a first burst.
func (c *conn) unsolicited(t *task, h iscsi.Header, n int) error {
	if t.unsolicited && (t.gap || h.DataSN() != t.dataSN) {
		t.gap = true
		t.unsolicited = !h.Final()
		return c.in.discard(n)
	}
	if !t.unsolicited || int(h.BufferOffset()) != t.got || t.got+n > t.first {
		return protocolError("unsolicited data that was not announced, or out of order")
	}
	if err := c.in.data(t.buf[t.got : t.got+n]); err != nil {
		return err
	}
	t.got += n
	t.asked = t.got
	t.dataSN++
	t.unsolicited = !h.Final()
	return nil
}

// solicited takes the next part of what an R2T asked for.
func (c *conn) solicited(t *task, h iscsi.Header, n int) error {
	var r *r2t
	for i := range t.r2ts {
		if t.r2ts[i].length > 0 && t.r2ts[i].tag == h.TargetTag() {
			r = &t.r2ts[i]
		}
	}
	if r == nil {
		return protocolError("data for an R2T that was not sent")
	}
	if t.gap || h.DataSN() != r.dataSN {
		t.gap = true
		if h.Final() {
			*r = r2t{}
		}
		return c.in.discard(n)
	}
	at := r.offset + r.got
	if int(h.BufferOffset()) != at || n > r.length-r.got || h.Final() != (n == r.length-r.got) {
		return protocolError("data out of the order or the bounds of its R2T")
	}
	if err := c.in.data(t.buf[at : at+n]); err != nil {
		return err
	}
	t.got += n
	r.got += n
	r.dataSN++
	if r.got == r.length {
		*r = r2t{}
	}
	return nil
}

// failGap ends a task whose data has a gap, once all that was asked for has come (RFC 7143 7.8, 7.9): a DataSN that is not the next means
// that a PDU was lost, and at recovery level 0 nobody sends it again. It consumes the caller's hold.
func (c *conn) failGap(t *task) {
	for i := range t.r2ts {
		if t.r2ts[i].length > 0 {
			c.session.letGo(t)
			return
		}
	}
	if c.session.claim(t) {
		t.cmd.FailTransfer()
		c.complete(t, true)
	}
}
