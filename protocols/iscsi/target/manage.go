package target

import (
	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

// management is a task management function under way: what it still waits for, and what it does then.
type management struct {
	wait   []<-chan struct{}
	after  func() // before the answer; may be nil
	finish func() // after the answer has been sent; may be nil
	code   byte
}

// manage executes a task management function (RFC 7143 11.5). Its answer is sent when no task that it aborts can touch the medium
// any more.
func (c *conn) manage(h iscsi.Header) error {
	if int(c.manages.Add(1)) > maxImmediate {
		c.manages.Add(-1)
		return c.reject(h, iscsi.RejectImmediate, 0)
	}
	m := c.plan(h)
	request := append(iscsi.Header(nil), h...)
	c.session.mu.Lock()
	c.session.running.Add(1) // by the reader
	c.session.mu.Unlock()
	if len(m.wait) == 0 && m.finish == nil {
		c.conclude(request, m)
		c.session.running.Done()
		return c.due() // ABORT TASK may have closed a gap
	}
	go func() {
		defer c.session.running.Done()
		c.conclude(request, m)
		_ = c.out.flush() // the reader finds out
		if m.finish != nil {
			m.finish()
		}
	}()
	return nil
}

func (c *conn) conclude(request iscsi.Header, m management) {
	defer c.manages.Add(-1)
	for _, ended := range m.wait {
		<-ended
	}
	if m.after != nil {
		m.after()
	}
	c.answer(iscsi.OpTaskMgmtResp, request, nil, func(r iscsi.Header) { r.SetResponse(m.code) })
}

// plan aborts what the function names.
func (c *conn) plan(h iscsi.Header) management {
	x := c.session
	function := iscsi.TaskFunction(h.Flags() & 0x7f)
	switch function {
	case iscsi.AbortTask:
		return c.abortTask(h)
	case iscsi.AbortTaskSet, iscsi.ClearTaskSet, iscsi.LogicalUnitReset:
		device, unit := x.device(h.LUN())
		if device == nil {
			return management{code: iscsi.TaskNoSuchUnit}
		}
		return c.clear(h, function, device, unit)
	case iscsi.TargetWarmReset, iscsi.TargetColdReset:
		return c.resetTarget(function == iscsi.TargetColdReset)
	case iscsi.TaskReassign:
		return management{code: iscsi.TaskNoReassign}
	case iscsi.ClearACA:
		return management{code: iscsi.TaskNotSupported}
	}
	return management{code: iscsi.TaskFunctionError}
}

// abortTask is ABORT TASK. A task that has not arrived, though its place in the window says that it was sent, is taken as received
// (RFC 7143 11.6.1).
func (c *conn) abortTask(h iscsi.Header) management {
	x, w := c.session, &c.window
	tag, sn := h.ReferencedTag(), h.ReferencedCmdSN()
	found := false
	wait := x.abort(func(t *task) bool {
		same := t.tag == tag && !t.aborted // the tag of one that was may be another's
		found = found || same
		return same
	})
	if found {
		return management{wait: wait}
	}
	if _, known := w.held[sn]; !known && w.contains(sn) && iscsi.SerialLess(sn, h.CmdSN()) {
		w.held[sn] = early{gone: true}
		return management{}
	}
	return management{code: iscsi.TaskDoesNotExist}
}

// clear is ABORT TASK SET for the tasks of this session, CLEAR TASK SET and LOGICAL UNIT RESET for those of all.
func (c *conn) clear(h iscsi.Header, function iscsi.TaskFunction, device scsi.Device, unit uint64) management {
	x := c.session
	sn := h.CmdSN()
	m := management{wait: x.abort(func(t *task) bool { return t.unit == unit && !iscsi.SerialLess(sn, t.cmdSN) })}
	if function == iscsi.AbortTaskSet {
		return m
	}
	for _, o := range c.srv.sessionsOf(x.target.Name) {
		if o != x {
			m.wait = append(m.wait, o.abort(func(t *task) bool { return t.unit == unit })...)
		}
	}
	event := scsi.EventUnitReset
	if function == iscsi.ClearTaskSet {
		event = scsi.EventTasksCleared
	}
	m.after = func() { device.Event(event, &x.nexus) }
	return m
}

// resetTarget is TARGET WARM RESET, and TARGET COLD RESET, which also ends all sessions.
func (c *conn) resetTarget(cold bool) management {
	x := c.session
	sessions := c.srv.sessionsOf(x.target.Name)
	var m management
	for _, o := range sessions {
		m.wait = append(m.wait, o.abort(everything)...)
	}
	m.after = func() {
		for _, d := range x.target.LUNs() {
			d.Event(scsi.EventUnitReset, &x.nexus)
		}
	}
	if cold {
		m.finish = func() {
			_ = c.out.drain()
			for _, o := range sessions {
				o.conn.cut()
			}
		}
	}
	return m
}
