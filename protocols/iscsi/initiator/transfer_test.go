package initiator_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

func dial(t testing.TB, x *initiatortest.Target, change func(o *initiator.Options)) *initiator.Session {
	t.Helper()
	o := initiator.Options{Target: initiatortest.Name}
	if change != nil {
		change(&o)
	}
	o.Portal = x.Portal()
	s, err := initiator.Dial(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abandon)
	return s
}

func TestDataArrivesUnchangedHoweverItTravels(t *testing.T) {
	cases := map[string]func(x *initiatortest.Target, o *initiator.Options){
		"immediate and unsolicited data": func(*initiatortest.Target, *initiator.Options) {},
		"everything asked for":           func(x *initiatortest.Target, _ *initiator.Options) { x.Strict = true },
		"digests":                        func(_ *initiatortest.Target, o *initiator.Options) { o.Limits.Digests = iscsi.DigestsRequired },
		"tiny segments and bursts": func(x *initiatortest.Target, o *initiator.Options) {
			x.Limits.MaxRecv, x.Limits.MaxBurst, x.Limits.FirstBurst = 512, 4096, 1024
			o.Limits.MaxRecv, o.Limits.Digests = 512, iscsi.DigestsRequired
		},
		"one R2T, a window of one": func(x *initiatortest.Target, _ *initiator.Options) {
			x.Limits.MaxOutstandingR2T, x.Window, x.Strict = 1, 1, true
		},
		"a window larger than our queue": func(x *initiatortest.Target, o *initiator.Options) { x.Window, o.Commands = 1000, 3 },
	}
	for name, arrange := range cases {
		t.Run(name, func(t *testing.T) {
			x := initiatortest.New(t, 4<<20)
			s := dial(t, x, func(o *initiator.Options) { arrange(x, o) })
			var all sync.WaitGroup
			for part := range 4 {
				all.Go(func() { writeAndReadBack(t, s, part<<20, 1<<20) })
			}
			all.Wait()
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// writeAndReadBack works on its own part of the LUN.
func writeAndReadBack(t *testing.T, s *initiator.Session, from, length int) {
	rng := rand.New(rand.NewPCG(1, uint64(from)))
	mirror := make([]byte, length)
	for range 6 {
		n := (1 + rng.IntN(length/initiatortest.BlockSize)) * initiatortest.BlockSize
		if rng.IntN(2) == 0 {
			n = 4096
		}
		at := rng.IntN((length-n)/initiatortest.BlockSize+1) * initiatortest.BlockSize
		w := initiator.Command{Out: mirror[at:][:n]}
		for i := range w.Out {
			w.Out[i] = byte(rng.Uint32())
		}
		w.Write(uint64((from+at)/initiatortest.BlockSize), uint32(n/initiatortest.BlockSize), false)
		if err := s.Do(t.Context(), &w); err != nil {
			t.Errorf("write: %v", err)
			return
		}
		r := initiator.Command{In: make([]byte, n)}
		r.Read(uint64((from+at)/initiatortest.BlockSize), uint32(n/initiatortest.BlockSize))
		if err := s.Do(t.Context(), &r); err != nil || !bytes.Equal(r.In, w.Out) {
			t.Errorf("read: %v, equal: %v", err, bytes.Equal(r.In, w.Out))
			return
		}
	}
}

func TestTheWindowIsNeverOverrun(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Window = 4
	var held []iscsi.Header
	most := 0
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() != iscsi.OpSCSICommand {
			return false
		}
		// serve counts CmdSN on as commands come: the window closes as far as they are held back.
		held = append(held, h)
		most = max(most, len(held))
		if len(held) < 4 {
			return true
		}
		for _, h := range held {
			c.Handle(h, nil)
		}
		held = held[:0]
		return true
	}
	s := dial(t, x, nil)
	var done sync.WaitGroup
	for range 64 {
		done.Add(1)
		c := &initiator.Command{Done: func(c *initiator.Command) {
			if err := c.Failure(); err != nil {
				t.Error(err)
			}
			done.Done()
		}}
		if err := s.Submit(c); err != nil {
			t.Fatal(err)
		}
	}
	done.Wait()
	if most > 4 {
		t.Errorf("%d commands at a time in a window of 4", most)
	}
}

// silent is an Intercept that answers no command.
func silent(_ *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
	return h.Opcode() == iscsi.OpSCSICommand
}

func TestAFullQueueRefusesSubmitAndMakesDoWait(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Intercept = silent
	s := dial(t, x, func(o *initiator.Options) { o.Commands = 2 })
	ended := make(chan error, 2)
	for range 2 {
		if err := s.Submit(&initiator.Command{Done: func(c *initiator.Command) { ended <- c.Err }}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Submit(&initiator.Command{}); !errors.Is(err, initiator.ErrQueueFull) {
		t.Errorf("third command: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Do(ctx, &initiator.Command{}); !errors.Is(err, initiator.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do in a full queue: %v", err)
	}
	s.Abandon()
	for range 2 {
		if err := <-ended; !errors.Is(err, initiator.ErrOutcomeUnknown) {
			t.Errorf("after the connection is gone: %v", err)
		}
	}
}

func TestALostConnectionTellsWhatIsKnown(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Window = 1
	arrived := make(chan struct{})
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, data []byte) bool {
		if h.Opcode() != iscsi.OpSCSICommand {
			return false
		}
		close(arrived)
		return true
	}
	s := dial(t, x, nil)
	results := make([]chan error, 2)
	for i := range results {
		results[i] = make(chan error, 1)
		c := &initiator.Command{Out: make([]byte, 4096), Done: func(c *initiator.Command) { results[i] <- c.Failure() }}
		c.Write(0, 8, false)
		if err := s.Submit(c); err != nil {
			t.Fatal(err)
		}
	}
	<-arrived
	x.Drop()
	if err := <-results[0]; !errors.Is(err, initiator.ErrOutcomeUnknown) {
		t.Errorf("the one that was sent: %v", err)
	}
	if err := <-results[1]; !errors.Is(err, initiator.ErrNotSent) || errors.Is(err, initiator.ErrOutcomeUnknown) {
		t.Errorf("the one that waited for the window: %v", err)
	}
	if s.Submit(&initiator.Command{}) == nil {
		t.Error("a dead session takes commands")
	}
}
