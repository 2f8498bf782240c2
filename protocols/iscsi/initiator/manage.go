package initiator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"forebay/protocols/iscsi"
)

const (
	requestTag = 0x8000_0000 // the upper half of the tags is for requests
	maxManage  = 16          // task management requests under way: a target takes few immediate PDUs at a time
	maxAborted = 64
)

// request is a task management request, a ping or a logout that waits for its answer.
type request struct {
	response iscsi.Opcode // what answers it
	function iscsi.TaskFunction
	lun      uint16
	task     uint32 // tag of the command to abort
	taskSN   uint32 // its CmdSN
	cmdSN    uint32 // commands before it are those that a reset concerns

	answered chan byte   // the response to task management; it has room for it
	deadline *time.Timer // ends the session unless task management is answered before
}

// request enters r and returns the header of its immediate PDU, to be completed and sealed. s.mu is held.
func (s *Session) request(op iscsi.Opcode, r *request) iscsi.Header {
	for {
		s.mu.lastTag = (s.mu.lastTag + 1) % (requestTag - 1) // never the reserved tag
		if _, used := s.mu.requests[requestTag|s.mu.lastTag]; !used {
			break
		}
	}
	tag := requestTag | s.mu.lastTag
	r.cmdSN = s.mu.cmdSN
	s.mu.requests[tag] = r
	h := s.mu.out.header()
	h.SetOpcode(op)
	h.SetImmediate()
	h.SetInitiatorTag(tag)
	h.SetCmdSN(s.mu.cmdSN)
	h.SetExpStatSN(s.mu.expStatSN)
	return h
}

// answer takes out the request that h answers; nil: there is none. s.mu is held.
func (s *Session) answer(h iscsi.Header) *request {
	s.acknowledge(h)
	r := s.mu.requests[h.InitiatorTag()]
	if r == nil || r.response != h.Opcode() {
		return nil
	}
	delete(s.mu.requests, h.InitiatorTag())
	return r
}

// AbortTask aborts a command that was submitted to s (ABORT TASK, RFC 7143 11.5.1). When it returns nil the command has completed or is
// about to: with ErrAborted, unless its status was faster. Without an answer within Options.AbortTimeout the session ends.
func (s *Session) AbortTask(ctx context.Context, c *Command) error {
	if s.dropQueued(c) {
		return nil
	}
	return s.manage(ctx, func() *request {
		if int(c.slot) >= len(s.mu.slots) || s.mu.slots[c.slot] != c || c.state != sent {
			return nil
		}
		return &request{function: iscsi.AbortTask, lun: c.LUN, task: c.tag, taskSN: c.cmdSN}
	})
}

// dropQueued completes a command that waits for the window, and says whether c was one.
func (s *Session) dropQueued(c *Command) bool {
	s.mu.Lock()
	var previous *Command
	q := s.mu.head
	for q != nil && q != c {
		previous, q = q, q.next
	}
	if q == nil {
		s.mu.Unlock()
		return false
	}
	s.unqueue(previous, c)
	c.Err = fmt.Errorf("%w: %w", ErrNotSent, ErrAborted)
	s.release(c)
	s.mu.Unlock()
	c.Done(c)
	return true
}

// ResetUnit asks for a LOGICAL UNIT RESET (RFC 7143 11.5.1). When it returns nil, this session's commands that were sent to the LUN
// before have completed, those under way with ErrAborted. Without an answer within Options.AbortTimeout the session ends.
func (s *Session) ResetUnit(ctx context.Context, lun uint16) error {
	return s.manage(ctx, func() *request { return &request{function: iscsi.LogicalUnitReset, lun: lun} })
}

// ResetTarget asks for a TARGET WARM RESET, which is to all LUNs what ResetUnit is to one.
func (s *Session) ResetTarget(ctx context.Context) error {
	return s.manage(ctx, func() *request { return &request{function: iscsi.TargetWarmReset} })
}

// manage sends the task management request that compose returns, with s.mu held, and waits for the answer; nil: there is none to send.
func (s *Session) manage(ctx context.Context, compose func() *request) error {
	select {
	case s.managing <- struct{}{}: // given back by managed
	case <-s.over:
		return s.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r, err := s.sendManagement(compose)
	if r == nil {
		<-s.managing
		return err
	}
	select {
	case code := <-r.answered:
		if !r.done(code) {
			return fmt.Errorf("task management function %d: response %d", r.function, code)
		}
		return nil
	case <-s.over:
		return s.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sendManagement queues a task management request (RFC 7143 11.5).
func (s *Session) sendManagement(compose func() *request) (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err != nil || s.mu.bye {
		return nil, s.mu.ending
	}
	r := compose()
	if r == nil {
		return nil, nil
	}
	r.response = iscsi.OpTaskMgmtResp
	r.answered = make(chan byte, 1)
	r.deadline = time.AfterFunc(s.opts.AbortTimeout, func() {
		s.fail(fmt.Errorf("%w: task management had no answer for %s", ErrTimeout, s.opts.AbortTimeout))
	})
	h := s.request(iscsi.OpTaskMgmt, r)
	h.SetFlags(iscsi.FlagFinal | byte(r.function))
	encodeLUN(h.LUN(), r.lun)
	h.SetReferencedTag(iscsi.ReservedTag)
	if r.function == iscsi.AbortTask {
		h.SetReferencedTag(r.task)
		h.SetReferencedCmdSN(r.taskSN)
	}
	s.seal(h)
	s.kick()
	return r, nil
}

// done says whether a response means that the target does nothing more for the commands concerned. One that it does not know was
// answered before, or never came.
func (r *request) done(code byte) bool {
	return code == iscsi.TaskComplete || code == iscsi.TaskDoesNotExist && r.function == iscsi.AbortTask
}

// managed takes the answer to a task management request, and ends the commands that it concerned: the target says nothing more
// about them (RFC 7143 11.6.1).
func (s *Session) managed(h iscsi.Header) error {
	s.mu.Lock()
	r := s.answer(h)
	if r == nil {
		s.mu.Unlock()
		return protocolError("an answer to no task management request")
	}
	r.deadline.Stop()
	<-s.managing
	var over []*Command
	if r.done(h.Response()) {
		over = s.finishAborted(r)
	}
	s.mu.Unlock()
	for _, c := range over {
		c.Done(c)
	}
	r.answered <- h.Response()
	return nil
}

// finishAborted ends what r aborted and returns the commands that are complete. s.mu is held.
func (s *Session) finishAborted(r *request) (over []*Command) {
	for _, c := range s.mu.slots {
		if c != nil && c.state == sent && r.concerns(c) {
			c.Err = ErrAborted
			s.mu.aborted[s.mu.aborts%maxAborted] = c.tag
			s.mu.aborts++
			if s.finish(c) {
				over = append(over, c)
			}
		}
	}
	return over
}

// wasAborted says whether a tag is of a command that was aborted not long ago. s.mu is held.
func (s *Session) wasAborted(tag uint32) bool {
	return slices.Contains(s.mu.aborted[:min(s.mu.aborts, maxAborted)], tag)
}

func (r *request) concerns(c *Command) bool {
	switch r.function {
	case iscsi.AbortTask:
		return c.tag == r.task
	case iscsi.LogicalUnitReset:
		return c.LUN == r.lun && iscsi.SerialLess(c.cmdSN, r.cmdSN)
	}
	return iscsi.SerialLess(c.cmdSN, r.cmdSN)
}

// abandon ends a command of Do that nobody wants any more, and waits for that: it is aborted, or else the session is.
func (s *Session) abandon(c *Command) {
	if err := s.AbortTask(context.Background(), c); err != nil {
		s.fail(fmt.Errorf("aborting a command: %w", err))
	}
	late := time.AfterFunc(s.opts.AbortTimeout, func() { s.fail(fmt.Errorf("%w: it does not take the data of a command", ErrTimeout)) })
	<-c.ready
	late.Stop()
}

// loggedOut ends the session after its logout.
func (s *Session) loggedOut(h iscsi.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer(h) == nil {
		return protocolError("an answer to no logout")
	}
	return s.mu.ending
}
