package initiator

import (
	"context"
	"errors"

	"forebay/protocols/iscsi"
)

// Submit queues a command and returns at once. Done will be called, unless an error is returned: ErrQueueFull, or why the session
// takes no more.
func (s *Session) Submit(c *Command) error {
	if len(c.In) > 0 && len(c.Out) > 0 {
		return errors.New("bidirectional commands are not supported")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.submit(c)
}

func (s *Session) submit(c *Command) error {
	if s.mu.ending != nil {
		return s.mu.ending
	}
	last := len(s.mu.free) - 1
	if last < 0 {
		return ErrQueueFull
	}
	c.reset()
	c.slot = s.mu.free[last]
	s.mu.free = s.mu.free[:last]
	s.mu.slots[c.slot] = c
	s.mu.outstanding++
	s.mu.generation = (s.mu.generation + 1) & 0x7fff // the upper half of the tags is for requests
	c.tag = uint32(s.mu.generation)<<16 | uint32(c.slot)
	c.state, c.epoch = queued, s.mu.epoch
	if s.mu.tail == nil {
		s.mu.head = c
	} else {
		s.mu.tail.next = c
	}
	s.mu.tail = c
	s.advance()
	return nil
}

// advance sends queued commands as far as the window allows. s.mu is held.
func (s *Session) advance() {
	for s.mu.head != nil && !iscsi.SerialLess(s.mu.maxCmdSN, s.mu.cmdSN) && s.mu.err == nil {
		c := s.mu.head
		s.unqueue(nil, c)
		s.send(c)
	}
}

// unqueue takes c out of the queue, where previous is in front of it (nil: c is the head). s.mu is held.
func (s *Session) unqueue(previous, c *Command) {
	if previous == nil {
		s.mu.head = c.next
	} else {
		previous.next = c.next
	}
	if s.mu.tail == c {
		s.mu.tail = previous
	}
	c.next = nil
}

// command returns the outstanding command with a tag. s.mu is held.
func (s *Session) command(tag uint32) *Command {
	slot := int(tag & 0xffff)
	if slot >= len(s.mu.slots) {
		return nil
	}
	if c := s.mu.slots[slot]; c != nil && c.tag == tag && c.state == sent {
		return c
	}
	return nil
}

// finish notes that the outcome of c is known. It returns whether c is complete; the caller then calls Done without the lock.
func (s *Session) finish(c *Command) bool {
	c.state = finished
	if c.held > 0 {
		return false // the writer will
	}
	s.release(c)
	return true
}

// release gives the slot of c back. s.mu is held.
func (s *Session) release(c *Command) {
	s.mu.slots[c.slot] = nil
	s.mu.free = append(s.mu.free, c.slot)
	s.mu.outstanding--
	c.state = idle
	if n := len(s.mu.waiters); n > 0 {
		close(s.mu.waiters[0])
		s.mu.waiters = s.mu.waiters[1:]
	}
	s.sayGoodbye()
}

// Do submits a command and waits for its end; when there are too many it waits for its turn. It returns c.Failure(), c.Done is
// overwritten. When ctx ends first the command is aborted, which takes until the target has answered or the session is given up.
func (s *Session) Do(ctx context.Context, c *Command) error {
	if len(c.In) > 0 && len(c.Out) > 0 {
		return errors.New("bidirectional commands are not supported")
	}
	if ctx.Err() != nil { // nothing of it may be in doubt then
		return errors.Join(ErrNotSent, context.Cause(ctx))
	}
	if c.ready == nil {
		c.ready = make(chan struct{}, 1)
	}
	c.Done = signalReady
	if err := s.submitInTurn(ctx, c); err != nil {
		return err
	}
	select {
	case <-c.ready:
		return c.Failure()
	case <-ctx.Done():
	}
	s.abandon(c)
	if c.Err != nil {
		c.Err = errors.Join(c.Err, context.Cause(ctx))
	}
	return c.Failure()
}

func signalReady(c *Command) { c.ready <- struct{}{} }

// submitInTurn waits for a slot where there is none.
func (s *Session) submitInTurn(ctx context.Context, c *Command) error {
	for {
		s.mu.Lock()
		err := s.submit(c)
		if !errors.Is(err, ErrQueueFull) {
			s.mu.Unlock()
			if err != nil {
				return errors.Join(ErrNotSent, err)
			}
			return nil
		}
		turn := make(chan struct{})
		s.mu.waiters = append(s.mu.waiters, turn)
		s.mu.Unlock()
		select {
		case <-turn:
		case <-s.done:
		case <-ctx.Done():
			s.forgo(turn)
			return errors.Join(ErrNotSent, context.Cause(ctx))
		}
	}
}

// forgo takes a waiter out of the line, or passes its turn on.
func (s *Session) forgo(turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.mu.waiters {
		if w == turn {
			s.mu.waiters = append(s.mu.waiters[:i], s.mu.waiters[i+1:]...)
			return
		}
	}
	if len(s.mu.waiters) > 0 {
		close(s.mu.waiters[0])
		s.mu.waiters = s.mu.waiters[1:]
	}
}
