package iscsi

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// What a path is asked while it is looked at may be answered by news that concerns what has been looked at before.
func TestD6_AMediumThatChangesWhileItIsLookedAtIsNotServed(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	f.set(func() {
		f.mu.script = func(_ *port, op byte, _ []byte) (byte, *sense) {
			if op != opModeSense {
				return 0, nil
			}
			f.mu.script, f.mu.name = nil, f.mu.name[:15]+"\x02"
			return statusCheck, &sense{6, 0x3f, 3}
		}
	})
	f.attend(sense{6, 0x2a, 9})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, cachecore.ErrIdentity) {
		t.Fatal(err)
	}
}

// One portal is that of another array for good: the other one may be lost for a moment all the same.
func TestAPortalOfAnotherMediumDoesNotEndThePatienceForTheOthers(t *testing.T) {
	f := newFake(t, cached, 2)
	f.ports[1].name = f.mu.name[:15] + "\x02"
	o := f.options()
	var lost atomic.Bool
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if lost.Load() && address == o.Portals[0] {
			return nil, net.ErrClosed
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	o.Expected, o.Patience, o.Started = "naa.60010203000000000000000000000001", patience, time.Now().Add(-time.Hour)
	a := open(t, o)
	lost.Store(true)
	f.ports[0].target.Drop()
	write := writing(t.Context(), a, pattern(1, 512), 0)
	for told := false; !told; {
		select {
		case err := <-write:
			t.Fatalf("given up at once: %v", err)
		default:
		}
		a.mu.Lock()
		told = a.mu.reason != nil && strings.Contains(a.mu.reason.Error(), cachecore.ErrIdentity.Error())
		a.mu.Unlock()
	}
	lost.Store(false)
	if err := receive(t, write); err != nil {
		t.Fatal(err)
	}
	expect(t, a, 0, pattern(1, 512))
}

// The array says that both paths are alike, or that the first is better, and lets nothing through there.
func TestAPathThatIsNotWellIsLeftForOneThatIs(t *testing.T) {
	for name, groups := range map[string]bool{"alike": false, "better": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, cached, 2)
			f.mu.groups = groups
			if groups {
				f.ports[1].state = initiator.NonOptimized
			}
			o := f.options()
			a := open(t, o)
			arrive(t, a, 2)
			in := portal(t, a)
			f.set(func() {
				f.mu.script = func(p *port, op byte, _ []byte) (byte, *sense) {
					if p.target.Portal() == in && op == opReady {
						return statusCheck, &sense{2, 4, 3}
					}
					return 0, nil
				}
			})
			f.attend(sense{6, 0x2a, 9})
			mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
			if portal(t, a) == in {
				t.Error("over the path that is not well")
			}
			f.set(func() { f.mu.script = nil })
			p := a.mu.paths[0]
			p.ask(t.Context(), p.session)
			mustWrite(t, a, pattern(2, 512), 0, cachecore.WriteOptions{})
			if over := portal(t, a); groups && over != in {
				t.Errorf("over %s, though the better one is well again", over)
			}
		})
	}
}
