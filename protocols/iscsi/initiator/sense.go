package initiator

import (
	"errors"
	"fmt"
)

// SCSI status codes (SAM-5 5.3.1).
const (
	StatusGood                = 0x00
	StatusCheckCondition      = 0x02
	StatusBusy                = 0x08
	StatusReservationConflict = 0x18
	StatusTaskSetFull         = 0x28
	StatusTaskAborted         = 0x40
)

// Sense keys that callers tell apart (SPC-4 4.5.6).
const (
	SenseRecovered     = 0x1
	SenseNotReady      = 0x2
	SenseIllegal       = 0x5
	SenseUnitAttention = 0x6
	SenseAborted       = 0xb
)

const maxSense = 252

// StatusError is a command that ended with another status than GOOD.
type StatusError struct {
	Status         byte
	Key, ASC, ASCQ byte // of the sense data, if there was any
	Deferred       bool // they are of an earlier command, and this one was not executed (SPC-4 4.5.7)
}

func (e *StatusError) Error() string {
	switch e.Status {
	case StatusCheckCondition:
		key := [16]string{"no sense", "recovered error", "not ready", "medium error", "hardware error", "illegal request", "unit attention",
			"data protect", "blank check", "vendor specific", "copy aborted", "aborted command", "reserved", "volume overflow", "miscompare", "completed"}[e.Key&15]
		return fmt.Sprintf("%s (%xh/%02xh/%02xh)", key, e.Key, e.ASC, e.ASCQ)
	case StatusBusy:
		return "BUSY"
	case StatusReservationConflict:
		return "RESERVATION CONFLICT"
	case StatusTaskSetFull:
		return "TASK SET FULL"
	case StatusTaskAborted:
		return "TASK ABORTED"
	}
	return fmt.Sprintf("SCSI status %02xh", e.Status)
}

// statusError reads sense data in the fixed or the descriptor format (SPC-4 4.5).
func statusError(c *Command) *StatusError {
	e := &StatusError{Status: c.Status}
	s := c.Sense
	if len(s) == 0 {
		return e
	}
	e.Deferred = s[0]&0x7f == 0x71 || s[0]&0x7f == 0x73
	switch s[0] & 0x7f {
	case 0x70, 0x71:
		if len(s) > 2 {
			e.Key = s[2] & 15
		}
		if len(s) > 13 {
			e.ASC, e.ASCQ = s[12], s[13]
		}
	case 0x72, 0x73:
		if len(s) > 3 {
			e.Key, e.ASC, e.ASCQ = s[1]&15, s[2], s[3]
		}
	}
	return e
}

// Additional sense codes that callers tell apart (SPC-4 annex F).
const (
	ascInvalidOperation = 0x20
	ascInvalidCDBField  = 0x24
)

// IsUnitAttention says whether a command was not executed because the target had news, a deferred error among them: it may be done again
// (SAM-5 5.14, SPC-4 4.5.7).
func IsUnitAttention(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == StatusCheckCondition && (e.Key == SenseUnitAttention || e.Deferred)
}

// IsReservationConflict says whether a command was not executed because of somebody's reservation, or for want of a registration
// (SPC-4 5.13).
func IsReservationConflict(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == StatusReservationConflict
}

// IsBusy says whether a command was not executed because the target has too much to do (BUSY, TASK SET FULL; SAM-5 5.3.1): it may be
// done again, later.
func IsBusy(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && (e.Status == StatusBusy || e.Status == StatusTaskSetFull)
}

// IsBecomingReady says whether a command was not executed because the logical unit is on its way to be ready (SPC-4 D.2: 04h/01h): it may be done again,
// later.
func IsBecomingReady(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == StatusCheckCondition && e.Key == SenseNotReady && e.ASC == 0x04 && e.ASCQ == 0x01
}

// IsUnsupported says whether a command was not executed because the target does not know it, or something that it asked for
// (INVALID COMMAND OPERATION CODE, INVALID FIELD IN CDB).
func IsUnsupported(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == StatusCheckCondition && e.Key == SenseIllegal &&
		(e.ASC == ascInvalidOperation || e.ASC == ascInvalidCDBField)
}
