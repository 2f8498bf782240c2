package initiator

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"forebay/protocols/iscsi"
)

// reports of PERSISTENT RESERVE IN.
const (
	keysFull        = "00000007 00000010 00000000000000a1 ffffffffffffffff"
	reservationHeld = "00000007 00000010 00000000000000a1 00000000 00 05 0000"
)

func TestReservationKeysAreWholeOrAnError(t *testing.T) {
	for name, c := range map[string]struct {
		report string
		want   Keys
		ok     bool
	}{
		"two keys":          {keysFull, Keys{7, []uint64{0xa1, 1<<64 - 1}}, true},
		"none":              {"00000007 00000000", Keys{Generation: 7}, true},
		"more than is told": {keysFull + "00000000000000b1", Keys{7, []uint64{0xa1, 1<<64 - 1}}, true},
		"less than is told": {"00000007 00000018" + keysFull[17:], Keys{}, false},
		"far less":          {"00000007 ffffffff 00000000000000a1", Keys{}, false},
		"half a key":        {"00000007 0000000c 00000000000000a1 ffffffff", Keys{}, false},
		"a key that is cut": {"00000007 00000010 00000000000000a1 ffffffff", Keys{}, false},
		"half a header":     {"00000007 0000", Keys{}, false},
		"nothing":           {"", Keys{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseKeys(unhex(t, c.report))
			if ok != c.ok || ok && !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, got %+v", ok, got)
			}
		})
	}
}

func TestAReservationIsWholeOrAnError(t *testing.T) {
	for name, c := range map[string]struct {
		report string
		want   Reservation
		ok     bool
	}{
		"held":                      {reservationHeld, Reservation{true, 0xa1, WriteExclusiveRegistrants}, true},
		"held by all":               {"00000007 00000010 0000000000000000 00000000 00 07 0000", Reservation{Held: true, Type: 7}, true},
		"a scope is no type":        {"00000007 00000010 00000000000000a1 00000000 00 26 0000", Reservation{true, 0xa1, ExclusiveAccessRegistrants}, true},
		"not held":                  {"00000007 00000000", Reservation{}, true},
		"not held, with old fields": {"00000007 00000000 00000000000000a1 00000000 00 05 0000", Reservation{}, true},
		"longer than it was":        {"00000007 00000018 00000000000000a1 00000000 00 05 0000 0000000000000000", Reservation{true, 0xa1, 5}, true},
		"a length that is short":    {"00000007 00000008 00000000000000a1 00000000 00 05 0000", Reservation{}, false},
		"cut off":                   {"00000007 00000010 00000000000000a1 00000000 00 05 00", Reservation{}, false},
		"half a header":             {"00000007 0000", Reservation{}, false},
		"nothing":                   {"", Reservation{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := parseReservation(unhex(t, c.report)); ok != c.ok || got != c.want {
				t.Errorf("%v, got %+v", ok, got)
			}
		})
	}
}

func TestReservationsLieOnTheWireAsTheStandardSays(t *testing.T) {
	const kind = ExclusiveAccessRegistrants
	for name, c := range map[string]struct {
		call      func(ctx context.Context, s *Session) error
		cdb, list string
	}{
		"register":          {func(ctx context.Context, s *Session) error { return s.Register(ctx, 0, 1, 2, false) }, "5f00 00", "0000000000000001 0000000000000002"},
		"register anyhow":   {func(ctx context.Context, s *Session) error { return s.Register(ctx, 0, 1, 2, true) }, "5f06 00", "0000000000000000 0000000000000002"},
		"reserve":           {func(ctx context.Context, s *Session) error { return s.Reserve(ctx, 0, 1, kind) }, "5f01 06", "0000000000000001 0000000000000000"},
		"release":           {func(ctx context.Context, s *Session) error { return s.Release(ctx, 0, 1, kind) }, "5f02 06", "0000000000000001 0000000000000000"},
		"clear":             {func(ctx context.Context, s *Session) error { return s.ClearKeys(ctx, 0, 1) }, "5f03 00", "0000000000000001 0000000000000000"},
		"preempt":           {func(ctx context.Context, s *Session) error { return s.Preempt(ctx, 0, 1, 2, kind, false) }, "5f04 06", "0000000000000001 0000000000000002"},
		"preempt and abort": {func(ctx context.Context, s *Session) error { return s.Preempt(ctx, 0, 1, 2, kind, true) }, "5f05 06", "0000000000000001 0000000000000002"},
	} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			ended := make(chan error, 1)
			go func() { ended <- c.call(t.Context(), s) }()
			h, list := target.expect(iscsi.OpSCSICommand)
			if cdb := unhex(t, c.cdb+"0000 00000018 00 000000000000"); !slices.Equal(h.CDB(), cdb) {
				t.Errorf("CDB %x, want %x", h.CDB(), cdb)
			}
			if want := unhex(t, c.list+"00000000 00000000"); !slices.Equal(list, want) {
				t.Errorf("list %x, want %x", list, want)
			}
			target.send(iscsi.OpSCSIResponse, h.InitiatorTag(), nil)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
