package initiator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/protocols/iscsi"
)

// The contexts of many callers often end together. Aborting all of their commands is no flood, and costs nobody the session.
func TestManyCommandsAreAbortedAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
		target.send(iscsi.OpNopIn, iscsi.ReservedTag, func(h iscsi.Header) { h.SetMaxCmdSN(1000) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 200)
		for range cap(ended) {
			go func() { ended <- s.Do(ctx, &Command{}) }()
		}
		for range cap(ended) {
			target.expect(iscsi.OpSCSICommand)
		}
		cancel()
		const few = 16
		aborted := make(map[uint32]bool)
		for len(aborted) < cap(ended) {
			var tags []uint32
			synctest.Wait()
			for range min(few, cap(ended)-len(aborted)) {
				h, _ := target.expect(iscsi.OpTaskMgmt)
				tags = append(tags, h.InitiatorTag())
				aborted[h.ReferencedTag()] = true
			}
			synctest.Wait()
			s.mu.Lock()
			if n := len(s.mu.requests); n != len(tags) {
				t.Errorf("%d requests are under way, of which %d came", n, len(tags))
			}
			s.mu.Unlock()
			for _, tag := range tags {
				target.send(iscsi.OpTaskMgmtResp, tag, nil)
			}
		}
		for range cap(ended) {
			wantErrors(t, "a command", <-ended, ErrAborted, context.Canceled)
		}
		if err := s.Err(); err != nil {
			t.Errorf("the session ended with %v", err)
		}
	})
}

func TestWhatAnAbortAnswersDecidesOverCommandAndSession(t *testing.T) {
	for name, c := range map[string]struct {
		response byte
		command  error
		lives    bool
	}{
		"complete":            {iscsi.TaskComplete, ErrAborted, true},
		"no such task":        {iscsi.TaskDoesNotExist, ErrAborted, true},
		"not supported":       {iscsi.TaskNotSupported, ErrOutcomeUnknown, false},
		"function rejected":   {iscsi.TaskFunctionError, ErrOutcomeUnknown, false},
		"an unheard response": {77, ErrOutcomeUnknown, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Do(ctx, &Command{}) }()
			command, _ := target.expect(iscsi.OpSCSICommand)
			cancel()
			abort, _ := target.expect(iscsi.OpTaskMgmt)
			if abort.ReferencedTag() != command.InitiatorTag() || abort.ReferencedCmdSN() != command.CmdSN() || !abort.Immediate() {
				t.Errorf("the abort is of tag %08x, CmdSN %d", abort.ReferencedTag(), abort.ReferencedCmdSN())
			}
			target.send(iscsi.OpTaskMgmtResp, abort.InitiatorTag(), func(h iscsi.Header) { h.SetResponse(c.response) })
			wantErrors(t, "the command", <-ended, c.command, context.Canceled)
			if lives := s.Err() == nil; lives != c.lives {
				t.Errorf("the session lives: %v", lives)
			}
		})
	}
}

func TestAStatusThatIsFasterThanTheAbortCounts(t *testing.T) {
	s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Do(ctx, &Command{}) }()
	command, _ := target.expect(iscsi.OpSCSICommand)
	cancel()
	abort, _ := target.expect(iscsi.OpTaskMgmt)
	target.send(iscsi.OpSCSIResponse, command.InitiatorTag(), nil)
	target.send(iscsi.OpTaskMgmtResp, abort.InitiatorTag(), func(h iscsi.Header) { h.SetResponse(iscsi.TaskDoesNotExist) })
	if err := <-ended; err != nil {
		t.Errorf("the command had its answer, and ended with %v", err)
	}
}

func TestACommandThatWaitsForTheWindowIsAbortedWithoutAWord(t *testing.T) {
	s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
	for range 10 {
		submit(t, s, &Command{})
	}
	queued := [3]*Command{{}, {}, {}}
	var ended [3]<-chan error
	for i, c := range queued {
		ended[i] = submit(t, s, c)
	}
	if err := s.AbortTask(t.Context(), queued[1]); err != nil {
		t.Errorf("abort: %v", err)
	}
	wantErrors(t, "the command", <-ended[1], ErrNotSent, ErrAborted)
	for range 10 {
		target.expect(iscsi.OpSCSICommand)
	}
	target.send(iscsi.OpNopIn, iscsi.ReservedTag, func(h iscsi.Header) { h.SetMaxCmdSN(12) })
	for _, c := range []*Command{queued[0], queued[2]} { // the numbers have no gap
		h, _ := target.expect(iscsi.OpSCSICommand)
		if h.InitiatorTag() != c.tag {
			t.Errorf("command %08x came instead of %08x", h.InitiatorTag(), c.tag)
		}
	}
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErrors(t, "the command", s.Do(ctx, &Command{}), ErrNotSent, context.Canceled)
	live := submit(t, s, &Command{CDB: [16]byte{opRead16}})
	if h, _ := target.expect(iscsi.OpSCSICommand); h.CDB()[0] != opRead16 || h.CmdSN() != 1 {
		t.Errorf("the first command is %x with CmdSN %d", h.CDB(), h.CmdSN())
	}
	s.Abandon()
	<-live
}

// While the commands of a lost session complete, one after the other, the owners of others may just be giving up.
func TestAbortsWhileTheSessionEndsAreHarmless(t *testing.T) {
	s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
	go func() {
		for _, _, ok := target.next(); ok; _, _, ok = target.next() {
			continue
		}
	}()
	var all []*Command
	ended := make(chan error, 20)
	for range cap(ended) { // half of them queued
		c := &Command{Done: func(c *Command) {
			for _, other := range all {
				_ = s.AbortTask(context.Background(), other)
			}
			ended <- c.Err
		}}
		all = append(all, c)
	}
	for _, c := range all {
		if err := s.Submit(c); err != nil {
			t.Fatal(err)
		}
	}
	s.Abandon()
	for range cap(ended) {
		if err := <-ended; !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrNotSent) {
			t.Errorf("a command ended with %v", err)
		}
	}
}

func TestAUnitResetSparesWhatComesAfterIt(t *testing.T) {
	s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
	before := submit(t, s, &Command{})
	reset := make(chan error, 1)
	go func() { reset <- s.ResetUnit(t.Context(), 0) }()
	target.expect(iscsi.OpSCSICommand)
	request, _ := target.expect(iscsi.OpTaskMgmt)
	after := submit(t, s, &Command{})
	late, _ := target.expect(iscsi.OpSCSICommand)
	target.send(iscsi.OpTaskMgmtResp, request.InitiatorTag(), nil)
	if err := <-reset; err != nil {
		t.Errorf("the reset: %v", err)
	}
	select {
	case err := <-before: // complete before the reset is
		wantErrors(t, "the command before it", err, ErrAborted)
	default:
		t.Error("a command is under way after the reset")
	}
	target.send(iscsi.OpSCSIResponse, late.InitiatorTag(), nil)
	if err := <-after; err != nil {
		t.Errorf("the command after it: %v", err)
	}
}

func TestAnAnswerOfAnotherKindEndsTheSession(t *testing.T) {
	for name, op := range map[string]iscsi.Opcode{"ping": iscsi.OpNopIn, "logout": iscsi.OpLogoutResp} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			reset := make(chan error, 1)
			go func() { reset <- s.ResetUnit(context.Background(), 0) }()
			request, _ := target.expect(iscsi.OpTaskMgmt)
			target.send(op, request.InitiatorTag(), nil)
			wantErrors(t, "the reset", <-reset, ErrProtocol)
		})
	}
}

// tgtd sends an R2T that was on its way although it has answered the abort.
func TestAnAbortedWriteSendsNothingMore(t *testing.T) {
	s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
	ended := submit(t, s, &Command{Out: make([]byte, 100_000)})
	command, _ := target.expect(iscsi.OpSCSICommand)
	reset := make(chan error, 1)
	go func() { reset <- s.ResetUnit(t.Context(), 0) }()
	request, _ := target.expect(iscsi.OpTaskMgmt)
	target.send(iscsi.OpTaskMgmtResp, request.InitiatorTag(), nil)
	wantErrors(t, "the write", <-ended, ErrAborted)
	if err := <-reset; err != nil {
		t.Errorf("the reset: %v", err)
	}
	r2t := func(tag uint32) {
		target.send(iscsi.OpR2T, tag, func(h iscsi.Header) { h.SetDesiredLength(8192) })
	}
	r2t(command.InitiatorTag())
	after := submit(t, s, &Command{})
	h, _ := target.expect(iscsi.OpSCSICommand) // and no Data-Out before it
	target.send(iscsi.OpSCSIResponse, h.InitiatorTag(), nil)
	if err := <-after; err != nil {
		t.Errorf("the command after it: %v", err)
	}
	r2t(h.InitiatorTag()) // of a command that was answered
	<-s.Over()
	wantErrors(t, "the session", s.Err(), ErrProtocol)
}
