package initiator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

func TestAReusedCommandKeepsNothingOfItsPast(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	first := true
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() == iscsi.OpSCSICommand && first {
			first = false
			c.Status(h, initiator.StatusCheckCondition, []byte{0x72, 3, 0x11, 1, 0, 0, 0, 0})
			return true
		}
		return false
	}
	s := dial(t, x, nil)
	c := &initiator.Command{In: make([]byte, 512)}
	c.Read(0, 1)
	var status *initiator.StatusError
	if err := s.Do(t.Context(), c); !errors.As(err, &status) || status.Key != 3 || status.ASC != 0x11 || status.ASCQ != 1 {
		t.Errorf("sense: %v", err)
	}
	if err := s.Do(t.Context(), c); err != nil || c.Residual != 0 || len(c.Sense) != 0 {
		t.Errorf("again: %v, residual %d, sense %x", err, c.Residual, c.Sense)
	}
}

func TestUnitAttentionsAreRetriedByTheHelpers(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	attentions := 2
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() != iscsi.OpSCSICommand || attentions == 0 {
			return false
		}
		attentions--
		c.Status(h, initiator.StatusCheckCondition, []byte{0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0})
		return true
	}
	capacity, err := dial(t, x, nil).Capacity(t.Context(), 0)
	if err != nil || capacity.Size() != 1<<20 || capacity.BlockSize != 512 {
		t.Errorf("%+v, %v", capacity, err)
	}
}

func TestResidualsAreTold(t *testing.T) {
	s := dial(t, initiatortest.New(t, 1<<20), nil)
	c := &initiator.Command{In: make([]byte, 1024)} // room for two blocks, one is read
	c.Read(0, 1)
	if err := s.Do(t.Context(), c); err != nil || c.Residual != 512 {
		t.Errorf("%v, residual %d", err, c.Residual)
	}
}

func TestDataThatIsMissingWithoutAResidualIsAnError(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() != iscsi.OpSCSICommand {
			return false
		}
		c.Send(initiatortest.Reply(iscsi.OpSCSIResponse, h), nil, true)
		return true
	}
	c := &initiator.Command{In: make([]byte, 512)}
	c.Read(0, 1)
	if err := dial(t, x, nil).Do(t.Context(), c); !errors.Is(err, initiator.ErrProtocol) {
		t.Errorf("a read without data ended with %v", err)
	}
}

func TestALogoutRequestLetsCommandsFinish(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, data []byte) bool {
		if h.Opcode() == iscsi.OpSCSICommand {
			request := make(iscsi.Header, iscsi.HeaderLength)
			request.SetOpcode(iscsi.OpAsync)
			request.SetFlags(iscsi.FlagFinal)
			request.SetInitiatorTag(iscsi.ReservedTag)
			request[36] = 1
			c.Send(request, nil, true)
			c.Handle(h, data)
			return true
		}
		return false
	}
	s := dial(t, x, nil)
	if err := s.Do(t.Context(), &initiator.Command{}); err != nil {
		t.Errorf("the command under way: %v", err)
	}
	<-s.Over()
	if err := s.Err(); !errors.Is(err, initiator.ErrLogoutRequested) || strings.Contains(err.Error(), "lost") {
		t.Errorf("the session ended with %v", err)
	}
	if err := s.Do(t.Context(), &initiator.Command{}); !errors.Is(err, initiator.ErrNotSent) || !errors.Is(err, initiator.ErrLogoutRequested) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestACommandThatNobodyWantsIsAborted(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	aborted := make(chan uint32, 1)
	tags := make(chan uint32, 1)
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		switch h.Opcode() {
		case iscsi.OpSCSICommand:
			tags <- h.InitiatorTag()
			return true
		case iscsi.OpTaskMgmt:
			aborted <- h.ReferencedTag()
		}
		return false
	}
	s := dial(t, x, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Do(ctx, &initiator.Command{In: make([]byte, 512)}) }()
	tag := <-tags
	cancel()
	if err := <-ended; !errors.Is(err, initiator.ErrAborted) || !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if got := <-aborted; got != tag {
		t.Errorf("aborted %08x instead of %08x", got, tag)
	}
	if s.Err() != nil {
		t.Errorf("the session ended: %v", s.Err())
	}
}

func TestAnAbortWithoutAnAnswerEndsTheSession(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Intercept = func(_ *initiatortest.Conn, h iscsi.Header, _ []byte) bool { return true }
	s := dial(t, x, func(o *initiator.Options) { o.AbortTimeout = 10 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Do(ctx, &initiator.Command{}); !errors.Is(err, initiator.ErrOutcomeUnknown) {
		t.Errorf("the command ended with %v", err)
	}
}

func TestAUnitResetEndsItsCommandsOnly(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Intercept = silent
	s := dial(t, x, nil)
	results := [2]chan error{make(chan error, 1), make(chan error, 1)}
	for lun := range results {
		if err := s.Submit(&initiator.Command{LUN: uint16(lun), Done: func(c *initiator.Command) { results[lun] <- c.Failure() }}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ResetUnit(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := <-results[1]; !errors.Is(err, initiator.ErrAborted) {
		t.Errorf("LUN 1: %v", err)
	}
	select {
	case err := <-results[0]:
		t.Errorf("LUN 0: %v", err)
	default:
	}
	if err := s.ResetTarget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-results[0]; !errors.Is(err, initiator.ErrAborted) {
		t.Errorf("LUN 0 after a target reset: %v", err)
	}
}

func TestPingsAreAnsweredWithTheirData(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	echo := make(chan string, 1)
	x.Intercept = func(_ *initiatortest.Conn, h iscsi.Header, data []byte) bool {
		if h.Opcode() == iscsi.OpNopOut && h.TargetTag() == 77 {
			echo <- string(data)
			return true
		}
		return false
	}
	dial(t, x, nil)
	x.Each(func(c *initiatortest.Conn) {
		ping := make(iscsi.Header, iscsi.HeaderLength)
		ping.SetOpcode(iscsi.OpNopIn)
		ping.SetFlags(iscsi.FlagFinal)
		ping.SetInitiatorTag(iscsi.ReservedTag)
		ping.SetTargetTag(77)
		c.Send(ping, []byte("hello"), false)
	})
	if got := <-echo; got != "hello" {
		t.Errorf("echo %q", got)
	}
}

func TestASilentTargetIsGivenUp(t *testing.T) {
	for name, arrange := range map[string]func(o *initiator.Options, x *initiatortest.Target){
		"no answer to pings": func(o *initiator.Options, x *initiatortest.Target) {
			x.Intercept = func(*initiatortest.Conn, iscsi.Header, []byte) bool { return true }
			o.NopInterval = 10 * time.Millisecond
		},
		"pings only": func(o *initiator.Options, x *initiatortest.Target) {
			x.Intercept = silent
			o.CommandTimeout = 20 * time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := initiatortest.New(t, 1<<20)
			s := dial(t, x, func(o *initiator.Options) { arrange(o, x) })
			if err := s.Do(t.Context(), &initiator.Command{}); !errors.Is(err, initiator.ErrOutcomeUnknown) || !errors.Is(err, initiator.ErrTimeout) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
