package initiator

import (
	"context"
	"fmt"
)

// Operation codes and service actions (SPC-4 6.15, 6.16).
const (
	opReserveIn  = 0x5e // PERSISTENT RESERVE IN
	opReserveOut = 0x5f // PERSISTENT RESERVE OUT

	inReadKeys        = 0
	inReadReservation = 1

	outRegister        = 0
	outReserve         = 1
	outRelease         = 2
	outClear           = 3
	outPreempt         = 4
	outPreemptAbort    = 5
	outRegisterAnyhow  = 6 // REGISTER AND IGNORE EXISTING KEY
	outParameterLength = 24

	reserveHeader     = 8
	reservationLength = 16
)

// Types of reservations that a gateway uses (SPC-4 5.13.6): all that are registered may write, or use the LUN at all.
const (
	WriteExclusiveRegistrants  = 5
	ExclusiveAccessRegistrants = 6
)

// Keys are the reservation keys that are registered with a LUN, one for each nexus.
type Keys struct {
	Generation uint32 // counts changes of the registrations
	Keys       []uint64
}

// Reservation is the persistent reservation of a LUN.
type Reservation struct {
	Held bool
	Key  uint64 // of the holder; 0 when all registrants hold it (types 7 and 8)
	Type byte
}

// ReadKeys asks which keys are registered (PERSISTENT RESERVE IN, READ KEYS; SPC-4 6.15.2). A list that did not come whole is
// ErrProtocol, since what is not in it is taken for absent. Other errors are those of Do; IsUnsupported: no persistent reservations.
func (s *Session) ReadKeys(ctx context.Context, lun uint16) (Keys, error) {
	p, err := s.reserveIn(ctx, lun, inReadKeys)
	if err != nil {
		return Keys{}, fmt.Errorf("READ KEYS: %w", err)
	}
	k, ok := parseKeys(p)
	if !ok {
		return Keys{}, protocolError("reservation keys that are cut off at %d bytes", len(p))
	}
	return k, nil
}

// ReadReservation asks who holds the reservation (PERSISTENT RESERVE IN, READ RESERVATION; SPC-4 6.15.3). Errors as of ReadKeys.
func (s *Session) ReadReservation(ctx context.Context, lun uint16) (Reservation, error) {
	p, err := s.reserveIn(ctx, lun, inReadReservation)
	if err != nil {
		return Reservation{}, fmt.Errorf("READ RESERVATION: %w", err)
	}
	r, ok := parseReservation(p)
	if !ok {
		return Reservation{}, protocolError("a reservation that is cut off at %d bytes", len(p))
	}
	return r, nil
}

func (s *Session) reserveIn(ctx context.Context, lun uint16, action byte) ([]byte, error) {
	cdb := [16]byte{opReserveIn, action}
	be.PutUint16(cdb[7:], reportLength)
	return s.ask(ctx, lun, cdb, reportLength)
}

// parseKeys reads the answer to READ KEYS; ok is false unless it is whole.
func parseKeys(p []byte) (k Keys, ok bool) {
	if len(p) < reserveHeader {
		return k, false
	}
	k.Generation = be.Uint32(p)
	length, list := be.Uint32(p[4:]), p[reserveHeader:]
	if uint64(length) > uint64(len(list)) || length%8 != 0 {
		return k, false
	}
	for list = list[:length]; len(list) > 0; list = list[8:] {
		k.Keys = append(k.Keys, be.Uint64(list))
	}
	return k, true
}

// parseReservation reads the answer to READ RESERVATION; ok is false unless it is whole.
func parseReservation(p []byte) (r Reservation, ok bool) {
	if len(p) < reserveHeader {
		return r, false
	}
	switch length := be.Uint32(p[4:]); {
	case length == 0:
		return r, true
	case length < reservationLength || len(p) < reserveHeader+reservationLength:
		return r, false
	}
	return Reservation{Held: true, Key: be.Uint64(p[8:]), Type: p[21] & 15}, true
}

// Register registers the key new for this nexus (PERSISTENT RESERVE OUT, REGISTER; SPC-4 6.16.2), where old is registered or 0 for
// none; with ignore it replaces whatever is registered. A new key of 0 ends the registration. The key is not kept through a power
// cut of the array (APTPL=0). Errors are those of Do: IsReservationConflict when old is not the key, IsUnsupported.
func (s *Session) Register(ctx context.Context, lun uint16, old, new uint64, ignore bool) error {
	if ignore {
		return s.reserveOut(ctx, lun, "REGISTER AND IGNORE EXISTING KEY", outRegisterAnyhow, 0, 0, new)
	}
	return s.reserveOut(ctx, lun, "REGISTER", outRegister, 0, old, new)
}

// Reserve takes the reservation of the whole LUN with the key that is registered (RESERVE). What this nexus holds already in the same
// type is no error; IsReservationConflict: somebody else holds it, or key is not registered.
func (s *Session) Reserve(ctx context.Context, lun uint16, key uint64, kind byte) error {
	return s.reserveOut(ctx, lun, "RESERVE", outReserve, kind, key, 0)
}

// Release gives up the reservation, if this nexus holds it (RELEASE).
func (s *Session) Release(ctx context.Context, lun uint16, key uint64, kind byte) error {
	return s.reserveOut(ctx, lun, "RELEASE", outRelease, kind, key, 0)
}

// Preempt ends the registrations with the key victim, and takes over the reservation if it was theirs (PREEMPT). With abort their tasks
// are aborted too (PREEMPT AND ABORT). IsReservationConflict: key is not registered, or victim isn't.
func (s *Session) Preempt(ctx context.Context, lun uint16, key, victim uint64, kind byte, abort bool) error {
	if abort {
		return s.reserveOut(ctx, lun, "PREEMPT AND ABORT", outPreemptAbort, kind, key, victim)
	}
	return s.reserveOut(ctx, lun, "PREEMPT", outPreempt, kind, key, victim)
}

// ClearKeys ends the reservation and all registrations (CLEAR).
func (s *Session) ClearKeys(ctx context.Context, lun uint16, key uint64) error {
	return s.reserveOut(ctx, lun, "CLEAR", outClear, 0, key, 0)
}

// reserveOut does a PERSISTENT RESERVE OUT with the scope of the logical unit.
func (s *Session) reserveOut(ctx context.Context, lun uint16, name string, action, kind byte, key, actionKey uint64) error {
	c := &Command{LUN: lun, CDB: [16]byte{opReserveOut, action, kind & 15}, Out: make([]byte, outParameterLength)}
	be.PutUint32(c.CDB[5:], outParameterLength)
	be.PutUint64(c.Out, key)
	be.PutUint64(c.Out[8:], actionKey)
	if err := s.attentive(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
