package bench

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/sock/socktest"
)

func TestLostConnectionsToAFilerAreSurvivedWhenAsked(t *testing.T) {
	for _, verify := range []bool{false, true} {
		f := newFiler(t, testSize)
		var calls, cuts atomic.Int32
		f.intercept(func(p nfs.Procedure, _, _ nfs.Message) bool {
			if n := calls.Add(1); (p == nfs.ProcRead || p == nfs.ProcWrite) && n%40 == 0 {
				cuts.Add(1)
				f.cut()
			}
			return true
		})
		o := fileOptions(f)
		o.Verify, o.Shared, o.Reconnect, o.Sessions, o.Duration = verify, verify, true, 2, 400*time.Millisecond
		if r := ran(t, o, reconnected); r.Reconnects == 0 {
			t.Errorf("verify %v: no reconnects", verify)
		} else if most := int(cuts.Load()) * o.Sessions; r.Reconnects > most { // of all commands of a session that are lost, one connects again
			t.Errorf("verify %v: %d reconnects, not more than %d were cut", verify, r.Reconnects, most)
		}
	}
}

func TestLostConnectionsToAFilerEndARunThatDoesNotReconnect(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"load":    func(*Options) {},
		"verify":  func(o *Options) { o.Verify = true },
		"warm-up": func(o *Options) { o.WarmUp = true },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiler(t, testSize)
			f.intercept(func(p nfs.Procedure, _, _ nfs.Message) bool {
				if p == nfs.ProcRead || p == nfs.ProcWrite {
					f.cut()
				}
				return true
			})
			o := fileOptions(f)
			o.Duration = time.Minute
			change(&o)
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "connection lost") {
				t.Error(err)
			}
		})
	}
}

// A filer that says NFS3ERR_JUKEBOX to every second call is asked again.
func TestAFilerThatAsksForPatienceGetsIt(t *testing.T) {
	for _, verify := range []bool{false, true} {
		f := newFiler(t, 64<<10)
		var calls atomic.Int32
		f.intercept(func(p nfs.Procedure, _, r nfs.Message) bool {
			later := calls.Add(1)%2 == 0
			if later {
				*nfs.StatusOf(r) = nfs.ErrJukebox
			}
			return !later
		})
		o := fileOptions(f)
		o.Verify, o.Duration = verify, 10*moment
		r, err := Run(t.Context(), o)
		if err != nil || r.Operations == 0 {
			t.Errorf("verify %v: %d operations, %v", verify, r.Operations, err)
		}
		if !verify && r.All.Max < float64(moment.Microseconds()) {
			t.Errorf("the wait is left out of the latency: %.0f us at most", r.All.Max)
		}
	}
}

// inBubble runs a test of one session with a filer in memory.
func inBubble(t *testing.T, o Options, test func(t *testing.T, f *filer, s *fileSession)) {
	synctest.Test(t, func(t *testing.T) {
		l := socktest.NewPipeListener()
		f := serveFiler(t, l, testSize)
		o.CommandTimeout, o.Depth = 30*time.Second, 4
		at := &file{opts: o, handle: nfs.Handle(filerFile), readMax: filerMax, writeMax: filerMax}
		at.mu.verifiers = make(map[nfs.Verifier]struct{})
		s := newFileSession(at)
		s.caller.connect = l.Dial
		defer s.close()
		test(t, f, s)
	})
}

func TestPatienceWithAFilerEnds(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, f *filer, s *fileSession) {
		f.intercept(func(_ nfs.Procedure, _, r nfs.Message) bool {
			*nfs.StatusOf(r) = nfs.ErrJukebox
			return false
		})
		begun := time.Now()
		err := s.transfer(t.Context(), 0, make([]byte, 512), false)
		if took := time.Since(begun); !errors.Is(err, nfs.ErrJukebox) || took < reconnectPatience || took > reconnectPatience+time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestPatienceOfALoadEnds(t *testing.T) {
	d := &driver{base: time.Now().Add(-reconnectPatience), failed: make(chan error, 1)}
	d.busy.Add(1)
	(&slot{w: &worker{d: d}}).failed(&passingError{error: nfs.ErrJukebox, later: true})
	d.busy.Wait()
	if err := <-d.failed; !errors.Is(err, nfs.ErrJukebox) {
		t.Error(err)
	}
}

// What a server executes late it must not do to something newer.
func TestAWriteThatMayHaveBeenSentTwiceHoldsItsPlace(t *testing.T) {
	inBubble(t, Options{Reconnect: true}, func(t *testing.T, f *filer, s *fileSession) {
		write := func() time.Duration {
			begun := time.Now()
			if err := s.transfer(t.Context(), 0, make([]byte, 512), true); err != nil {
				t.Fatal(err)
			}
			return time.Since(begun)
		}
		if took := write(); took >= lateWrite {
			t.Errorf("a write takes %v", took)
		}
		var cut atomic.Bool
		f.intercept(func(nfs.Procedure, nfs.Message, nfs.Message) bool {
			if cut.CompareAndSwap(false, true) {
				f.cut()
			}
			return true
		})
		if took := write(); took < lateWrite {
			t.Errorf("a write that was sent twice takes %v", took)
		}
		if n := f.count(nfs.ProcWrite); n != 3 || s.reconnects() != 1 {
			t.Errorf("%d writes, %d reconnects", n, s.reconnects())
		}
		if took := write(); took >= lateWrite {
			t.Errorf("the next one takes %v", took)
		}
	})
}

// The first connection is opened by the first call, and may be lost with it.
func TestTheFirstWriteOfASessionHoldsItsPlaceToo(t *testing.T) {
	inBubble(t, Options{Reconnect: true}, func(t *testing.T, f *filer, s *fileSession) {
		var cut atomic.Bool
		f.intercept(func(nfs.Procedure, nfs.Message, nfs.Message) bool {
			if cut.CompareAndSwap(false, true) {
				f.cut()
			}
			return true
		})
		begun := time.Now()
		if err := s.transfer(t.Context(), 0, make([]byte, 512), true); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < lateWrite || f.count(nfs.ProcWrite) != 2 {
			t.Errorf("%d writes take %v", f.count(nfs.ProcWrite), took)
		}
	})
}

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, f *filer, s *fileSession) {
		answer := make(chan struct{})
		defer close(answer)
		f.intercept(func(nfs.Procedure, nfs.Message, nfs.Message) bool { <-answer; return true })
		begun := time.Now()
		err := s.transfer(t.Context(), 0, make([]byte, 512), true)
		if took := time.Since(begun); !errors.Is(err, rpc.ErrOutcomeUnknown) || took > 32*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestAnotherWriteVerifierIsTold(t *testing.T) {
	f := newFiler(t, testSize)
	var writes atomic.Int32
	f.intercept(func(p nfs.Procedure, a, r nfs.Message) bool {
		if p != nfs.ProcWrite || writes.Add(1) != 10 {
			return true
		}
		f.change(func(p []byte) { // it restarts, and what was not committed is lost
			f.boot[0]++
			clear(p)
		})
		return true
	})
	o := fileOptions(f)
	o.Verify = true
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrWrongData) || !strings.Contains(err.Error(), "verifier changed 1 times") {
		t.Error(err)
	}
}
