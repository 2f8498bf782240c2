package iscsi

import (
	"testing"

	"forebay/protocols/iscsi/initiator"
)

// expectNothingRegistered fails the test if a key or the reservation is left.
func (f *fake) expectNothingRegistered(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mu.keys) > 0 || f.mu.holder != "" {
		t.Errorf("registered are %x, the holder is %q", f.mu.keys, f.mu.holder)
	}
}

func TestD7_ALostPathsReservationIsNotLeftBehind(t *testing.T) {
	f, w := newFake(t, cached, 2), &wire{}
	f.mu.groups = true
	f.ports[1].state = initiator.NonOptimized
	o := f.options()
	o.Reserve, o.Key, o.Dial = true, thisBoot, w.dial
	a := open(t, o)
	arrive(t, a, 2)
	portal(t, a)
	w.dead.Store(true)
	f.ports[0].target.Drop()
	mustFlush(t, a) // over the other path
	end(t, a)
	f.expectNothingRegistered(t)
}

func TestD7_AnOpenThatFailsLeavesNoRegistrationBehind(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, thisBoot
	f.set(func() {
		f.mu.script = func(_ *port, op byte, cdb []byte) (byte, *sense) {
			if op == opReserveOut && cdb[1]&0x1f == 1 {
				return statusCheck, &sense{4, 0x44, 0}
			}
			return 0, nil
		}
	})
	if _, err := Open(t.Context(), o); err == nil {
		t.Fatal("it is open")
	}
	f.expectNothingRegistered(t)
}

// The array is closed in the middle of a recovery.
func TestD7_ARecoveryThatIsCutShortLeavesNoRegistrationBehind(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, thisBoot
	a := open(t, o)
	reached, goOn := make(chan struct{}), make(chan struct{})
	f.set(func() {
		f.mu.script = func(_ *port, op byte, _ []byte) (byte, *sense) {
			if op != opReady {
				return 0, nil
			}
			f.mu.script = nil
			close(reached)
			<-goOn
			return 0, nil
		}
	})
	f.drop()
	<-reached
	go func() {
		<-a.life.Done()
		close(goOn)
	}()
	end(t, a)
	f.expectNothingRegistered(t)
}
