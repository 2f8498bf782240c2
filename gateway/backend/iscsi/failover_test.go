package iscsi

import (
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

func TestAFailoverGoesToThePathThatIsLoggedIn(t *testing.T) {
	f := newFake(t, cached, 2)
	f.mu.groups = true
	f.ports[1].state = initiator.NonOptimized
	w := &wire{}
	o := f.options()
	o.Dial = w.dial
	a := open(t, o)
	arrive(t, a, 2)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	if over := portal(t, a); over != o.Portals[0] {
		t.Fatalf("over %s, which is not optimized", over)
	}
	w.dead.Store(true) // no login is possible
	f.set(func() {
		f.ports[0].target.Drop()
		f.mem.Crash(nil) // that controller's cache is gone
	})
	mustFlush(t, a)
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 512))
	if over := portal(t, a); over != o.Portals[1] {
		t.Fatalf("over %s", over)
	}
}

// arrive waits until that many paths are logged in.
func arrive(t *testing.T, a *Array, n int) {
	t.Helper()
	for t.Context().Err() == nil {
		a.mu.Lock()
		in := 0
		for _, p := range a.mu.paths {
			if p.session != nil {
				in++
			}
		}
		done := in >= n && a.mu.state == serving
		a.mu.Unlock()
		if done {
			return
		}
	}
}

// portal is that of the path in use, once the array is served.
func portal(t *testing.T, a *Array) string {
	t.Helper()
	for t.Context().Err() == nil {
		a.mu.Lock()
		state, p := a.mu.state, a.mu.path
		a.mu.Unlock()
		if state == serving {
			return p.portal
		}
	}
	return ""
}

func TestAPathThatBecomesStandbyIsLeft(t *testing.T) {
	f := newFake(t, cached, 2)
	f.mu.groups = true
	f.ports[1].state = initiator.Standby
	o := f.options()
	a := open(t, o)
	arrive(t, a, 2)
	if over := portal(t, a); over != o.Portals[0] {
		t.Fatalf("over %s, which stands by", over)
	}
	resets := f.count(opManage)
	for i, states := range [][2]initiator.AccessState{{initiator.Standby, initiator.Optimized}, {initiator.Optimized, initiator.Standby}, {initiator.Standby, initiator.Optimized}} {
		mustWrite(t, a, pattern(byte(i), 512), 4096, cachecore.WriteOptions{})
		f.set(func() {
			f.ports[0].state, f.ports[1].state = states[0], states[1]
			f.mem.Crash(nil) // that controller's cache is gone
		})
		mustWrite(t, a, pattern(9, 512), 0, cachecore.WriteOptions{})
		mustFlush(t, a)
		f.mem.Crash(nil)
		expect(t, a, 4096, pattern(byte(i), 512))
		if over := portal(t, a); over != o.Portals[(i+1)%2] {
			t.Fatalf("change %d: over %s", i, over)
		}
	}
	if f.count(opManage) != resets {
		t.Fatal("a reset though nothing was in doubt")
	}
}
