package initiator

import (
	"forebay/protocols/iscsi"
)

const attributeSimple = 1 // task attribute (RFC 7143 11.3.1)

// send puts a command on the wire, with what data may go along unsolicited (RFC 7143 4.2.5.2). s.mu is held.
func (s *Session) send(c *Command) {
	immediate, unsolicited := 0, 0
	if n := len(c.Out); n > 0 {
		first := min(n, s.params.FirstBurst)
		if s.params.ImmediateData {
			immediate = min(first, s.params.MaxSend)
		}
		if !s.params.InitialR2T {
			unsolicited = first - immediate
		}
	}
	c.state, c.cmdSN = sent, s.mu.cmdSN
	s.mu.cmdSN++
	h := s.mu.out.header()
	h.SetOpcode(iscsi.OpSCSICommand)
	flags := byte(attributeSimple)
	if unsolicited == 0 {
		flags |= iscsi.FlagFinal
	}
	switch {
	case len(c.In) > 0:
		flags |= iscsi.FlagRead
	case len(c.Out) > 0:
		flags |= iscsi.FlagWrite
	}
	h.SetFlags(flags)
	encodeLUN(h.LUN(), c.LUN)
	h.SetInitiatorTag(c.tag)
	h.SetExpectedLength(uint32(len(c.In) + len(c.Out)))
	h.SetCmdSN(c.cmdSN)
	h.SetExpStatSN(s.mu.expStatSN)
	copy(h.CDB(), c.CDB[:])
	h.SetDataLength(immediate)
	s.seal(h)
	if immediate > 0 {
		s.attach(c, 0, immediate, false)
	}
	if unsolicited > 0 {
		s.dataOut(c, iscsi.ReservedTag, immediate, unsolicited, false)
	}
	s.kick()
}

// attach adds a part of c.Out as the data segment of the header before it. s.mu is held.
func (s *Session) attach(c *Command, offset, n int, solicit bool) {
	if s.mu.out.data(c.Out[offset:offset+n], s.params.DataDigest) || solicit {
		c.held++
		s.mu.out.owners = append(s.mu.out.owners, owner{c, solicit})
	}
}

// dataOut sends one sequence of Data-Out PDUs. solicit: it answers an R2T. s.mu is held.
func (s *Session) dataOut(c *Command, targetTag uint32, offset, n int, solicit bool) {
	for sn := uint32(0); n > 0; sn++ {
		part := min(n, s.params.MaxSend)
		n -= part
		h := s.mu.out.header()
		h.SetOpcode(iscsi.OpDataOut)
		if n == 0 {
			h.SetFlags(iscsi.FlagFinal)
		}
		encodeLUN(h.LUN(), c.LUN)
		h.SetInitiatorTag(c.tag)
		h.SetTargetTag(targetTag)
		h.SetExpStatSN(s.mu.expStatSN)
		h.SetDataSN(sn)
		h.SetBufferOffset(uint32(offset))
		h.SetDataLength(part)
		s.seal(h)
		s.attach(c, offset, part, solicit && n == 0)
		offset += part
	}
}

// readyToTransfer answers an R2T (RFC 7143 11.8).
func (s *Session) readyToTransfer(h iscsi.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window(h)
	c := s.command(h.InitiatorTag())
	switch {
	case c != nil:
	case s.wasAborted(h.InitiatorTag()):
		return nil // tgtd asks for data of what it has aborted; without it nothing can land
	default:
		return protocolError("R2T for no command")
	}
	offset, n := int64(h.BufferOffset()), int64(h.DesiredLength())
	if n == 0 || n > int64(s.params.MaxBurst) || offset+n > int64(len(c.Out)) {
		return protocolError("R2T for %d bytes at %d of %d", n, offset, len(c.Out))
	}
	// The next R2T can be here before the writer has seen that the data for the last one left.
	if c.solicits++; c.solicits > 2*s.params.MaxOutstandingR2T {
		return protocolError("more than %d R2Ts outstanding", s.params.MaxOutstandingR2T)
	}
	s.dataOut(c, h.TargetTag(), int(offset), int(n), true)
	s.kick()
	return nil
}

// dataIn moves data to where the caller wants it (RFC 7143 11.7). The reader alone completes commands that are sent, so c stays
// ours without the lock.
func (s *Session) dataIn(h iscsi.Header) error {
	n := h.DataLength()
	s.mu.Lock()
	c := s.command(h.InitiatorTag())
	s.mu.Unlock()
	if c == nil {
		return protocolError("Data-In for no command")
	}
	// We negotiate that data comes in order; then nothing can be missing unseen.
	if n > s.params.MaxRecv || h.BufferOffset() != c.received || int64(c.received)+int64(n) > int64(len(c.In)) {
		return protocolError("Data-In of %d bytes at %d, having %d of %d", n, h.BufferOffset(), c.received, len(c.In))
	}
	if h.DataSN() != c.dataSN {
		return protocolError("Data-In %d where %d was expected", h.DataSN(), c.dataSN)
	}
	c.dataSN++
	if n > 0 {
		if err := s.in.into(c.In[c.received:][:n]); err != nil {
			return err
		}
		c.received += uint32(n)
	}
	if h.Flags()&iscsi.FlagStatus == 0 {
		return nil
	}
	c.setStatus(h)
	s.complete(c, h)
	return nil
}

// response takes a SCSI Response (RFC 7143 11.4).
func (s *Session) response(h iscsi.Header) error {
	data, err := s.in.segment(h.DataLength())
	if err != nil {
		return err
	}
	s.mu.Lock()
	c := s.command(h.InitiatorTag())
	s.mu.Unlock()
	if c == nil {
		return protocolError("response for no command")
	}
	if code := h.Response(); code != 0 {
		c.Err = ErrTargetFailure
	} else {
		c.setStatus(h)
	}
	if len(data) >= 2 {
		n := int(data[0])<<8 | int(data[1])
		c.Sense = append(c.Sense[:0], data[2:][:min(n, len(data)-2, maxSense)]...)
	}
	s.complete(c, h)
	return nil
}

// complete ends a command whose status came with h.
func (s *Session) complete(c *Command, h iscsi.Header) {
	s.mu.Lock()
	s.acknowledge(h)
	over := s.finish(c)
	s.mu.Unlock()
	if over {
		c.Done(c)
	}
}
