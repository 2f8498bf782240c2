package iscsi

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"forebay/cachecore"
)

// brought is an array that was brought into a state, with what a call does there. lost cuts the array off.
type brought struct {
	f    *fake
	a    *Array
	lost func()
	seen <-chan Event
}

func bring(t *testing.T, patience time.Duration) brought {
	f := newFake(t, cached, 1)
	w := &wire{}
	o := f.options()
	o.Dial, o.Patience = w.dial, patience
	b := brought{f: f, seen: events(&o)}
	b.a = open(t, o)
	b.lost = func() {
		w.dead.Store(true)
		w.cut()
	}
	return b
}

// recovering waits until the array has been found to be lost; it may be given up by then.
func (b brought) recovering(t *testing.T) {
	b.lost()
	for t.Context().Err() == nil {
		b.a.mu.Lock()
		state := b.a.mu.state
		b.a.mu.Unlock()
		if state == recovering || state == away {
			return
		}
	}
}

// inLine waits until that many ops wait.
func (b brought) inLine(t *testing.T, n int) {
	for t.Context().Err() == nil {
		b.a.mu.Lock()
		waiting := len(b.a.mu.flights.line)
		b.a.mu.Unlock()
		if waiting == n {
			return
		}
	}
}

var everyCall = map[string]func(ctx context.Context, a *Array) error{
	"read": func(ctx context.Context, a *Array) error { return a.ReadAt(ctx, make([]byte, 512), 0) },
	"write": func(ctx context.Context, a *Array) error {
		return a.WriteAt(ctx, make([]byte, 512), 0, cachecore.WriteOptions{})
	},
	"flush": func(ctx context.Context, a *Array) error { return a.Flush(ctx) },
	"zero":  func(ctx context.Context, a *Array) error { return a.WriteZeroes(ctx, 0, 512, false) },
}

func TestACallerMayGiveUpWhileTheArrayRecovers(t *testing.T) {
	b := bring(t, time.Hour)
	b.recovering(t)
	for name, call := range everyCall {
		ctx, cancel := context.WithCancel(t.Context())
		done := begun(func() error { return call(ctx, b.a) })
		b.inLine(t, 1)
		cancel()
		if err := receive(t, done); !errors.Is(err, context.Canceled) || errors.Is(err, cachecore.ErrUnknownOutcome) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if free := b.a.retained.pool.Free(); free != b.a.opts.Retain {
		t.Errorf("%d bytes are retained for nothing", b.a.opts.Retain-free)
	}
}

func TestACallerMayGiveUpWhileTheArrayIsBusy(t *testing.T) {
	b := bring(t, time.Hour)
	b.f.set(func() {
		b.f.mu.script = func(_ *port, op byte, _ []byte) (byte, *sense) {
			if op == opWrite || op == opRead || op == opFlush || op == opWriteSame {
				return statusBusy, nil
			}
			return 0, nil
		}
	})
	for name, call := range everyCall {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := call(ctx, b.a)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cachecore.ErrUnknownOutcome) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCallsFailAtOnceWhileTheArrayIsAway(t *testing.T) {
	b := bring(t, time.Millisecond)
	b.recovering(t)
	if e := receive(t, b.seen); e.Available || e.Reason == "" {
		t.Fatalf("%+v", e)
	}
	for name, call := range everyCall {
		if err := call(t.Context(), b.a); !errors.Is(err, cachecore.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThoseWhoWaitAreTurnedAwayWhenPatienceEnds(t *testing.T) {
	b := bring(t, 50*time.Millisecond)
	b.recovering(t)
	if err := everyCall["write"](t.Context(), b.a); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestCloseEndsAllCalls(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, b brought){
		"serving": func(*testing.T, brought) {},
		"a write is not answered": func(t *testing.T, b brought) {
			held := b.f.holdWrite(anything)
			writing(t.Context(), b.a, pattern(1, 512), 0)
			receive(t, held)
		},
		"recovering": func(t *testing.T, b brought) {
			b.recovering(t)
			writing(t.Context(), b.a, pattern(1, 512), 0)
			b.inLine(t, 1)
		},
		"the array is not ready": func(t *testing.T, b brought) {
			b.f.answer(opReady, sense{2, 4, 1}, sense{2, 4, 1}, sense{2, 4, 1}, sense{2, 4, 1}, sense{2, 4, 1})
			b.f.attend(sense{6, 0x2a, 9})
			asked := b.f.seen(opReady)
			writing(t.Context(), b.a, pattern(1, 512), 0)
			receive(t, asked)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := bring(t, time.Hour)
			prepare(t, b)
			end(t, b.a)
			for name, call := range everyCall {
				if err := call(t.Context(), b.a); !errors.Is(err, cachecore.ErrUnavailable) {
					t.Errorf("%s after the end: %v", name, err)
				}
			}
		})
	}
}

func TestOpenGivesUpWithItsContextAndLeavesNothingBehind(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	ctx, cancel := context.WithCancel(t.Context())
	f.set(func() {
		f.mu.script = func(*port, byte, []byte) (byte, *sense) {
			cancel()
			return statusBusy, nil
		}
	})
	if _, err := Open(ctx, o); err == nil {
		t.Fatal("it is open")
	}
	if stacks := ours(); len(stacks) > 0 {
		t.Fatalf("%d goroutines are left:\n%s", len(stacks), stacks[0])
	}
}

func TestOpenTellsWhyNoPortalLetsItIn(t *testing.T) {
	o := options(t, newSAN(t, cachecore.ArrayInfo{Size: diskSize}).portal)
	o.Target = "iqn.2026-11.com.example:other"
	if _, err := Open(t.Context(), o); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestWhatIsGivenUpIsNotRetained(t *testing.T) {
	b := bring(t, time.Hour)
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		_ = b.a.WriteAt(ctx, pattern(1, 4096), int64(i)*4096, cachecore.WriteOptions{})
		cancel()
	}
	mustFlush(t, b.a)
	if free := b.a.retained.pool.Free(); free != b.a.opts.Retain {
		t.Errorf("%d bytes are retained after a flush", b.a.opts.Retain-free)
	}
}

// Who tells each trouble once compares the words.
func TestTheSameTroubleHasTheSameWords(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	_, first := Open(t.Context(), options(t, l.Addr().String()))
	_, second := Open(t.Context(), options(t, l.Addr().String()))
	if first == nil || second == nil || first.Error() != second.Error() {
		t.Errorf("%v\n%v", first, second)
	}
}
