package initiator

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
)

// announce sends an Asynchronous Message.
func (p *peer) announce(event byte) {
	p.send(iscsi.OpAsync, iscsi.ReservedTag, func(h iscsi.Header) { h.SetAsync(event, 0) })
}

func TestAnAnnouncedEndLosesWhatIsUnderWay(t *testing.T) {
	for name, event := range map[string]byte{"of the connection": asyncDropConnection, "of the session": asyncDropSession} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			ended := submit(t, s, &Command{})
			target.expect(iscsi.OpSCSICommand)
			target.announce(event)
			wantErrors(t, "the command", <-ended, ErrOutcomeUnknown)
			if err := s.Submit(&Command{}); err == nil {
				t.Error("the session takes commands")
			}
		})
	}
}

func TestNewsThatNeedNoAnswerChangeNothing(t *testing.T) {
	for name, event := range map[string]byte{"a SCSI event": 0, "the vendor's": 255, "unheard of": 77} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			target.send(iscsi.OpAsync, iscsi.ReservedTag, func(h iscsi.Header) { h.SetAsync(event, 0); h.SetDataLength(22) })
			target.nothing()
			if err := s.Err(); err != nil {
				t.Errorf("the session ended with %v", err)
			}
		})
	}
}

func TestALogoutIsDoneWhenItIsAskedFor(t *testing.T) {
	for name, event := range map[string]byte{"to log out": asyncLogout, "to negotiate": asyncNegotiate} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			ended := submit(t, s, &Command{})
			command, _ := target.expect(iscsi.OpSCSICommand)
			target.announce(event)
			target.nothing()
			if err := s.Submit(&Command{}); !errors.Is(err, ErrLogoutRequested) {
				t.Errorf("a new command: %v", err)
			}
			target.send(iscsi.OpSCSIResponse, command.InitiatorTag(), nil)
			if err := <-ended; err != nil {
				t.Errorf("the command under way: %v", err)
			}
			logout, _ := target.expect(iscsi.OpLogout)
			target.send(iscsi.OpLogoutResp, logout.InitiatorTag(), nil)
			if err := s.Close(); err != nil || !errors.Is(s.Err(), ErrLogoutRequested) {
				t.Errorf("it ended with %v, %v", s.Err(), err)
			}
		})
	}
}

func TestALogoutThatIsAskedForDoesNotWaitForCommandsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{LogoutTimeout: 3 * time.Second}, iscsi.DefaultParams(1<<20))
		go target.answerPings()
		ended := submit(t, s, &Command{})
		begin := time.Now()
		target.announce(asyncLogout)
		wantErrors(t, "the command", <-ended, ErrOutcomeUnknown, ErrLogoutRequested, ErrTimeout)
		wantBetween(t, "the end", time.Since(begin), 3*time.Second, 3*time.Second)
	})
}

// Done may run on the reader, on the writer, in AbortTask, and at the end of the session.
func TestDoneMaySubmitWhereverItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
		target.send(iscsi.OpNopIn, iscsi.ReservedTag, func(h iscsi.Header) { h.SetMaxCmdSN(1000) })
		var next error
		again := func(c *Command) { next = s.Submit(c) }
		command := func(name byte) iscsi.Header {
			h, _ := target.expect(iscsi.OpSCSICommand)
			if h.CDB()[1] != name {
				t.Errorf("%c came instead of %c", h.CDB()[1], name)
			}
			return h
		}

		read := &Command{CDB: [16]byte{1: 'r'}, In: make([]byte, 4), Done: again}
		write := &Command{CDB: [16]byte{1: 'w'}, Out: make([]byte, 8192), Done: again}
		for _, c := range []*Command{read, write} {
			if err := s.Submit(c); err != nil {
				t.Fatal(err)
			}
		}
		target.send(iscsi.OpDataIn, command('r').InitiatorTag(), func(h iscsi.Header) {
			h.SetFlags(iscsi.FlagFinal | iscsi.FlagStatus)
			h.SetDataLength(4)
		})
		target.send(iscsi.OpSCSIResponse, 2<<16|1, nil) // to the write, before its data is out
		command('w')
		command('r')
		command('w')
		go func() { _ = s.AbortTask(t.Context(), read) }()
		abort, _ := target.expect(iscsi.OpTaskMgmt)
		target.send(iscsi.OpTaskMgmtResp, abort.InitiatorTag(), nil)
		command('r')
		if next != nil {
			t.Errorf("submitting: %v", next)
		}
		s.Abandon()
		wantErrors(t, "submitting at the end", next, ErrClosed)
	})
}
