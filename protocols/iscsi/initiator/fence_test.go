package initiator_test

import (
	"slices"
	"testing"

	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

const (
	keyA, keyB = 0xa1, 1<<63 | 0xb1
	kind       = initiator.WriteExclusiveRegistrants
)

// host is one of those that share a LUN.
type host struct {
	*initiator.Session
	t *testing.T
}

func hosts(t *testing.T, x *initiatortest.Target) (a, b host) {
	connect := func(port byte) host {
		return host{dial(t, x, func(o *initiator.Options) { o.ISID = [6]byte{0x80, port} }), t}
	}
	return connect(1), connect(2)
}

func (h host) write() error {
	c := &initiator.Command{Out: make([]byte, initiatortest.BlockSize)}
	c.Write(0, 1, false)
	return h.Do(h.t.Context(), c)
}

// sees fails unless these keys are registered, and the reservation is held by one of them, or by none if holder is 0.
func (h host) sees(holder uint64, keys ...uint64) {
	h.t.Helper()
	k, err := h.ReadKeys(h.t.Context(), 0)
	if err != nil || !slices.Equal(k.Keys, keys) {
		h.t.Errorf("keys %x, %v; want %x", k.Keys, err, keys)
	}
	r, err := h.ReadReservation(h.t.Context(), 0)
	if err != nil || r.Held != (holder != 0) || r.Key != holder || r.Held && r.Type != kind {
		h.t.Errorf("reservation %+v, %v; want it held by %x", r, err, holder)
	}
}

func want(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func wantConflict(t *testing.T, what string, err error) {
	t.Helper()
	if !initiator.IsReservationConflict(err) {
		t.Errorf("%s: %v, which is no reservation conflict", what, err)
	}
}

func TestAReservationKeepsOthersOut(t *testing.T) {
	a, b := hosts(t, initiatortest.New(t, 1<<20))
	ctx := t.Context()
	a.sees(0)
	wantConflict(t, "reserving without a registration", a.Reserve(ctx, 0, keyA, kind))
	want(t, "register", a.Register(ctx, 0, 0, keyA, false))
	wantConflict(t, "registering over a key", a.Register(ctx, 0, 0, keyB, false))
	want(t, "registering another key", a.Register(ctx, 0, keyA, keyB, false))
	want(t, "registering whatever there is", a.Register(ctx, 0, 0, keyA, true))
	want(t, "reserve", a.Reserve(ctx, 0, keyA, kind))
	want(t, "reserving what is mine", a.Reserve(ctx, 0, keyA, kind))
	b.sees(keyA, keyA)
	wantConflict(t, "a write of another", b.write())
	want(t, "a write of the holder", a.write())
	want(t, "registering the other", b.Register(ctx, 0, 0, keyB, false))
	want(t, "a write of the other, registered", b.write())
	wantConflict(t, "reserving what another holds", b.Reserve(ctx, 0, keyB, kind))
	want(t, "release", a.Release(ctx, 0, keyA, kind))
	a.sees(0, keyA, keyB)
	want(t, "ending a registration", b.Register(ctx, 0, keyB, 0, false))
	a.sees(0, keyA)
	want(t, "clear", a.ClearKeys(ctx, 0, keyA))
	a.sees(0)
}

func TestAPreemptedHostIsFenced(t *testing.T) {
	for name, abort := range map[string]bool{"preempt": false, "preempt and abort": true} {
		t.Run(name, func(t *testing.T) {
			a, b := hosts(t, initiatortest.New(t, 1<<20))
			want(t, "register", a.Register(t.Context(), 0, 0, keyA, true))
			want(t, "reserve", a.Reserve(t.Context(), 0, keyA, kind))
			wantConflict(t, "preempting without a registration", b.Preempt(t.Context(), 0, keyB, keyA, kind, abort))
			want(t, "register", b.Register(t.Context(), 0, 0, keyB, true))
			wantConflict(t, "preempting nobody", b.Preempt(t.Context(), 0, keyB, 0xdead, kind, abort))
			want(t, "preempt", b.Preempt(t.Context(), 0, keyB, keyA, kind, abort))
			b.sees(keyB, keyB)
			wantConflict(t, "a write of the victim", a.write())
			want(t, "a write of the new holder", b.write())
		})
	}
}

func TestAReservationOutlivesTheSessionAndNotTheArray(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	a, b := hosts(t, x)
	want(t, "register", a.Register(t.Context(), 0, 0, keyA, true))
	want(t, "reserve", a.Reserve(t.Context(), 0, keyA, kind))
	a.Abandon()
	b.sees(keyA, keyA)
	a, _ = hosts(t, x)
	want(t, "a write of the same port", a.write())
	x.Restart()
	a, _ = hosts(t, x)
	a.sees(0)
}

func TestAnArrayWithoutReservationsSaysSo(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Unfenced = true
	a, _ := hosts(t, x)
	_, keys := a.ReadKeys(t.Context(), 0)
	_, reservation := a.ReadReservation(t.Context(), 0)
	for what, err := range map[string]error{"keys": keys, "reservation": reservation, "register": a.Register(t.Context(), 0, 0, keyA, true)} {
		if !initiator.IsUnsupported(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
