package iscsi

import (
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

func TestABusyArrayIsAskedAgain(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	f.answer(opWrite, statusBusy, 0x28, statusBusy)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	expect(t, a, 0, pattern(1, 512))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.window.size != maxFlights/8 {
		t.Fatalf("a window of %d", a.mu.window.size)
	}
}

func TestWhatTheArrayRefusesIsTold(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	for _, c := range []struct {
		s    sense
		want error
	}{{sense{7, 0x27, 7}, cachecore.ErrNoSpace}, {sense{7, 0x27, 0}, cachecore.ErrReadOnly}, {sense{5, 0x21, 0}, cachecore.ErrOutOfRange}} {
		f.answer(opWrite, c.s)
		if err := a.WriteAt(t.Context(), pattern(1, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, c.want) || errors.Is(err, cachecore.ErrUnknownOutcome) {
			t.Errorf("%v: %v", c.s, err)
		}
	}
	f.answer(opRead, sense{3, 0x11, 0})
	var status *initiator.StatusError
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.As(err, &status) || status.Key != 3 {
		t.Error(err)
	}
	if list, _ := a.retained.unflushed(); len(list) != 0 {
		t.Errorf("%d changes that failed are retained", len(list))
	}
}

func TestWhatTheArrayGivesUpIsIssuedAgainAFewTimes(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	aborted := sense{0xb, 0x47, 5}
	f.answer(opWrite, aborted, aborted, 0x40, aborted, aborted)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	f.answer(opWrite, aborted, aborted, aborted, aborted, aborted, aborted)
	if err := a.WriteAt(t.Context(), pattern(2, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnknownOutcome) {
		t.Fatal(err)
	}
}

func TestAnArrayThatStaysNotReadyIsUnavailable(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Patience = 1
	a := open(t, o)
	f.answer(opRead, sense{2, 4, 1})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatal(err)
	}
	expect(t, a, 0, make([]byte, 512))
}

func TestE1_AnArrayThatKnowsOneOfTheCommandsThatFlushIsFlushedByIt(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	for i, refused := range []byte{opFlush, opFlush10, opFlush} { // by one controller and the other
		f.set(func() {
			f.mu.script = func(_ *port, op byte, _ []byte) (byte, *sense) {
				if op == refused {
					return statusCheck, &sense{5, 0x20, 0}
				}
				return 0, nil
			}
		})
		before := f.count(refused)
		for range 3 {
			mustWrite(t, a, pattern(byte(i), 512), 0, cachecore.WriteOptions{})
			mustFlush(t, a)
		}
		if n := f.count(refused) - before; n != 1 {
			t.Errorf("the command that it refuses was sent %d times", n)
		}
		f.mem.Crash(nil)
		expect(t, a, 0, pattern(byte(i), 512))
	}
}

func TestAnArrayThatRefusesWriteSameIsNotAskedForItAgain(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	f.answer(opWriteSame, sense{5, 0x20, 0})
	for range 2 {
		if err := a.WriteZeroes(t.Context(), 0, 512, false); !errors.Is(err, cachecore.ErrUnsupported) {
			t.Fatal(err)
		}
	}
	if n := f.count(opWriteSame); n != 1 {
		t.Fatalf("asked %d times", n)
	}
}
