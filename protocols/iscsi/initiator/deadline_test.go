package initiator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
)

func TestACommandWithoutAnAnswerEndsTheSessionInTime(t *testing.T) {
	for _, nop := range []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s, target := overPipe(t, Options{CommandTimeout: 10 * time.Second, NopInterval: nop}, iscsi.DefaultParams(1<<20))
			go target.answerPings()
			time.Sleep(3 * time.Second) // not in step with the ticks, nor the first one
			begin := time.Now()
			wantErrors(t, "the command", <-submit(t, s, &Command{}), ErrOutcomeUnknown, ErrTimeout)
			wantBetween(t, "giving up, pinging each "+nop.String(), time.Since(begin), 10*time.Second, 11*time.Second)
		})
	}
}

func TestAWindowThatStaysClosedEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{CommandTimeout: 10 * time.Second}, iscsi.DefaultParams(1<<20))
		go target.answerPings()
		var last <-chan error
		for range 11 { // the window has room for ten
			last = submit(t, s, &Command{})
		}
		wantErrors(t, "the last one", <-last, ErrNotSent, ErrTimeout)
	})
}

func TestACommandWhoseDataIsNotTakenEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{CommandTimeout: 10 * time.Second, NopInterval: time.Minute}, iscsi.DefaultParams(1<<20))
		begin := time.Now()
		ended := submit(t, s, &Command{Out: make([]byte, 8192)})
		target.send(iscsi.OpSCSIResponse, 1<<16, nil) // it answers, and reads nothing
		if err := <-ended; err != nil {
			t.Errorf("the command had its answer, and ended with %v", err)
		}
		wantBetween(t, "giving up", time.Since(begin), 10*time.Second, 11*time.Second)
		wantErrors(t, "the session", s.Err(), ErrTimeout)
	})
}

func TestATargetThatAnswersNoPingIsGivenUpAlthoughItSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{NopInterval: 10 * time.Second}, iscsi.DefaultParams(1<<20))
		pings := make(chan int, 1)
		go func() {
			n := 0
			for h, _, ok := target.next(); ok; h, _, ok = target.next() {
				if h.Opcode() == iscsi.OpNopOut {
					n++
				}
			}
			pings <- n
		}()
		silent := make(chan struct{})
		go func() {
			defer close(silent)
			for s.Err() == nil {
				time.Sleep(15 * time.Second)
				target.nothing()
			}
		}()
		select {
		case <-s.Over():
		case <-time.After(time.Minute):
			t.Fatal("it lives on")
		}
		wantErrors(t, "the session", s.Err(), ErrTimeout)
		if n := <-pings; n != 1 {
			t.Errorf("%d pings were under way at a time", n)
		}
		<-silent
	})
}

func TestAnIdleSessionLivesOnPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{CommandTimeout: 10 * time.Second}, iscsi.DefaultParams(1<<20))
		go target.answerPings()
		time.Sleep(time.Hour)
		if err := s.Err(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestTaskManagementWithoutAnAnswerEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{AbortTimeout: 7 * time.Second}, iscsi.DefaultParams(1<<20))
		go target.answerPings()
		begin := time.Now()
		wantErrors(t, "the reset", s.ResetUnit(context.Background(), 0), ErrTimeout)
		wantBetween(t, "giving up", time.Since(begin), 7*time.Second, 7*time.Second)
	})
}

func TestTaskManagementThatNobodyWaitsForEndsTheSessionToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{AbortTimeout: 7 * time.Second}, iscsi.DefaultParams(1<<20))
		go target.answerPings()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErrors(t, "the reset", s.ResetUnit(ctx, 0), context.DeadlineExceeded)
		if err := s.Err(); err != nil {
			t.Fatalf("it ended already: %v", err)
		}
		<-s.Over()
		wantErrors(t, "the session", s.Err(), ErrTimeout)
	})
}

func TestACommandThatNobodyWantsEndsAlthoughItsDataIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := overPipe(t, Options{AbortTimeout: 7 * time.Second}, iscsi.DefaultParams(1<<20))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Do(ctx, &Command{Out: make([]byte, 8192)}) }()
		synctest.Wait()
		target.send(iscsi.OpSCSIResponse, 1<<16, nil) // it answers, and reads nothing
		cancel()
		begin := time.Now()
		<-ended
		wantBetween(t, "giving up", time.Since(begin), 7*time.Second, 7*time.Second)
	})
}

func TestAnEndThatTheTargetIgnoresIsBounded(t *testing.T) {
	for name, end := range map[string]func(s *Session) error{
		"close": func(s *Session) error { return s.Close() },
		"close twice": func(s *Session) error {
			other := make(chan error, 1)
			go func() { other <- s.Close() }()
			return errors.Join(s.Close(), <-other)
		},
	} {
		for what, peer := range map[string]func(target *peer){
			"a target that answers nothing": func(target *peer) {
				for _, _, ok := target.next(); ok; _, _, ok = target.next() {
					continue
				}
			},
			"a target that reads nothing": func(*peer) {},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, target := overPipe(t, Options{LogoutTimeout: 3 * time.Second}, iscsi.DefaultParams(1<<20))
					go peer(target)
					ended := submit(t, s, &Command{Out: make([]byte, 8192)})
					begin := time.Now()
					wantErrors(t, "the end", end(s), ErrTimeout)
					wantBetween(t, "it", time.Since(begin), 3*time.Second, 3*time.Second)
					wantErrors(t, "the command", <-ended, ErrOutcomeUnknown)
				})
			})
		}
	}
}
