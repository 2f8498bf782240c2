package iscsi

import (
	"errors"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

// redirecting is an array of two portal groups behind one portal, which sends who logs in to the one or the other.
func redirecting(t *testing.T, change func(*fake, *Options)) (*fake, *wire, *initiatortest.Target, Options) {
	t.Helper()
	f, w := newFake(t, cached, 2), &wire{}
	f.ports[0].target.Group, f.ports[1].target.Group = "1", "2"
	front := initiatortest.New(t, blockSize)
	front.Redirect = f.ports[0].target.Portal()
	o := options(t, front.Portal())
	o.Target, o.Dial, o.Patience = initiatortest.Name, w.dial, patience
	change(f, &o)
	return f, w, front, o
}

// lose has an array send a write that is held, and lose the session. The next login is redirected to a port.
func lose(t *testing.T, f *fake, w *wire, front *initiatortest.Target, a *Array, to int) <-chan error {
	t.Helper()
	held := f.holdWrite(anything)
	first := writing(t.Context(), a, pattern(1, 512), 0)
	receive(t, held)
	w.dead.Store(true)
	f.ports[0].target.Drop()
	front.Redirect = f.ports[to].target.Portal()
	w.dead.Store(false)
	return first
}

// The login is another nexus: the session to the first portal group goes on, as far as the array is concerned, with what is on its way to it.
func TestD2_ALoginThatIsRedirectedToAnotherPortalGroupReinstatesNothing(t *testing.T) {
	for name, reserve := range map[string]bool{"no reservation wanted": false, "reserved": true} {
		t.Run(name, func(t *testing.T) {
			f, w, front, o := redirecting(t, func(_ *fake, o *Options) {
				if o.Drain, o.Started = time.Minute, time.Now().Add(-time.Hour); reserve {
					o.Reserve, o.Key = true, 0xabc
				}
			})
			a := open(t, o)
			first := lose(t, f, w, front, a, 1)
			for waits := false; !waits; {
				select {
				case err := <-first:
					t.Fatalf("it is written again, with %v, while the first may be on its way", err)
				default:
				}
				a.mu.Lock()
				if waits = errors.Is(a.mu.reason, errDoubt); waits {
					a.mu.paths[0].doubtedAt = time.Now().Add(-time.Hour)
				}
				a.mu.Unlock()
			}
			if err := receive(t, first); err != nil { // it is waited for, and not for ever
				t.Fatal(err)
			}
			expect(t, a, 0, pattern(1, 512))
		})
	}
}

func TestD2_ALoginThatIsRedirectedToTheSamePortalGroupReinstates(t *testing.T) {
	f, w, front, o := redirecting(t, func(f *fake, o *Options) {
		f.ports[1].target.Group = "1"
		o.Started = time.Now().Add(-time.Hour)
	})
	a := open(t, o)
	if err := receive(t, lose(t, f, w, front, a, 1)); err != nil {
		t.Fatal(err)
	}
	expect(t, a, 0, pattern(1, 512))
}

// Where the earlier life was redirected to is not known.
func TestD2_ALoginThatIsRedirectedDoesNotReinstateWhatAnEarlierLifeHasLeft(t *testing.T) {
	_, _, _, o := redirecting(t, func(*fake, *Options) {})
	if a, err := Open(t.Context(), o); !errors.Is(err, cachecore.ErrUnavailable) || !errors.Is(err, errDoubt) {
		if err == nil {
			_ = a.Close()
		}
		t.Fatal(err)
	}
	o.Reserve, o.Key = true, 0xabc // which fences
	open(t, o)
}
