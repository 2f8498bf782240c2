package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/protocols/iscsi/initiator"
)

func (s *lunSession) transfer(ctx context.Context, offset int64, data []byte, write bool) error {
	c := &initiator.Command{LUN: s.lun.id}
	address(c, s.lun.geo.block, offset, data, write)
	return s.do(ctx, c, fmt.Sprintf("at %d", offset), !write)
}

func (s *lunSession) flush(ctx context.Context) error {
	c := &initiator.Command{LUN: s.lun.id}
	c.Flush()
	if err := s.do(ctx, c, "flush", true); !initiator.IsUnsupported(err) {
		return err
	}
	return nil
}

// address makes a command a READ or WRITE.
func address(c *initiator.Command, block int, offset int64, data []byte, write bool) {
	lba, blocks := uint64(offset)/uint64(block), uint32(len(data)/block)
	if write {
		c.In, c.Out = nil, data
		c.Write(lba, blocks, false)
	} else {
		c.In, c.Out = data, nil
		c.Read(lba, blocks)
	}
}

// do executes a command. What the target did not execute is tried again; with Reconnect, so is one that comes too early, while a target that has
// restarted is getting ready, and a command that is repeatable and whose
// session was lost. Any other one of unknown outcome is reported when the session is back: then it can't land any more.
func (s *lunSession) do(ctx context.Context, c *initiator.Command, what string, repeatable bool) error {
	for begun := time.Now(); ; {
		session := s.current()
		err := session.Do(ctx, c)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		case refused(err):
			continue
		case s.tooEarly(err) && time.Since(begun) < reconnectPatience:
			pause(ctx, tooEarlyPause)
			continue
		case session.Err() == nil:
			return fmt.Errorf("%s: %w", what, err)
		case !s.lun.opts.Reconnect:
			return session.Err()
		}
		if err := s.renew(ctx, session); err != nil {
			return err
		}
		if !repeatable && !errors.Is(err, initiator.ErrNotSent) {
			return unknown(err)
		}
	}
}

func unknown(err error) error {
	if errors.Is(err, initiator.ErrOutcomeUnknown) {
		return &unknownError{err}
	}
	return err
}

// refused says whether a command with this status was not executed and may be tried again.
func refused(err error) bool {
	return initiator.IsUnitAttention(err) || initiator.IsBusy(err)
}

// tooEarlyPause comes before a command is tried again that came too early.
const tooEarlyPause = 50 * time.Millisecond

// tooEarly says whether a target that is reconnected to was asked before it was ready.
func (s *lunSession) tooEarly(err error) bool {
	return s.lun.opts.Reconnect && initiator.IsBecomingReady(err)
}

// lunCommand is a command of the load.
type lunCommand struct {
	s       *lunSession
	session *initiator.Session // the one that it is submitted to
	scsi    initiator.Command
	data    []byte
	done    func(error)
}

func (s *lunSession) command(data []byte, done func(error)) command {
	c := &lunCommand{s: s, session: s.current(), data: data, done: done}
	c.scsi.LUN, c.scsi.Done = s.lun.id, c.completed
	return c
}

func (c *lunCommand) submit(offset int64, write bool) {
	address(&c.scsi, c.s.lun.geo.block, offset, c.data, write)
	if err := c.session.Submit(&c.scsi); err != nil {
		c.done(&lostError{err})
	}
}

// completed runs on a goroutine of the session.
func (c *lunCommand) completed(*initiator.Command) {
	err := c.scsi.Failure()
	switch {
	case err == nil:
	case c.session.Err() != nil:
		err = &lostError{c.session.Err()}
	case refused(err):
		err = &passingError{error: err}
	case c.s.tooEarly(err):
		err = &passingError{error: err, later: true}
	}
	c.done(err)
}

func (c *lunCommand) renew(ctx context.Context) error {
	if err := c.s.renew(ctx, c.session); err != nil {
		return err
	}
	c.session = c.s.current()
	return nil
}
