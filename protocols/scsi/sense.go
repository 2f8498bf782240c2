package scsi

import (
	"context"
	"encoding/binary"
	"errors"
)

// senseMax is the length of fixed format sense data as this device server sends it (SPC-5 4.4.3).
const senseMax = 18

// senseCode is a sense key with its additional sense code and qualifier.
type senseCode struct{ key, asc, ascq byte }

// Sense keys (SPC-5 table 48).
const (
	keyNoSense        = 0x0
	keyNotReady       = 0x2
	keyMediumError    = 0x3
	keyHardwareError  = 0x4
	keyIllegalRequest = 0x5
	keyUnitAttention  = 0x6
	keyDataProtect    = 0x7
	keyAbortedCommand = 0xb
	keyMiscompare     = 0xe
)

// The additional sense codes in use (SPC-5 annex F).
var (
	senseNone              = senseCode{keyNoSense, 0x00, 0x00}
	senseBecomingReady     = senseCode{keyNotReady, 0x04, 0x01}
	senseStopped           = senseCode{keyNotReady, 0x04, 0x02}
	senseWriteError        = senseCode{keyMediumError, 0x0c, 0x00}
	senseReadError         = senseCode{keyMediumError, 0x11, 0x00}
	senseInternalFailure   = senseCode{keyHardwareError, 0x44, 0x00}
	senseParameterLength   = senseCode{keyIllegalRequest, 0x1a, 0x00}
	senseShortData         = senseCode{keyIllegalRequest, 0x0e, 0x03} // fewer data came than the CDB asks for
	senseLBAOutOfRange     = senseCode{keyIllegalRequest, 0x21, 0x00}
	senseInvalidField      = senseCode{keyIllegalRequest, 0x24, 0x00}
	senseUnitNotSupported  = senseCode{keyIllegalRequest, 0x25, 0x00}
	senseInvalidParameter  = senseCode{keyIllegalRequest, 0x26, 0x00}
	senseSaving            = senseCode{keyIllegalRequest, 0x39, 0x00}
	sensePowerOn           = senseCode{keyUnitAttention, 0x29, 0x00}
	senseUnitReset         = senseCode{keyUnitAttention, 0x29, 0x03}
	senseModeChanged       = senseCode{keyUnitAttention, 0x2a, 0x01}
	senseCapacityChanged   = senseCode{keyUnitAttention, 0x2a, 0x09}
	senseInquiryChanged    = senseCode{keyUnitAttention, 0x3f, 0x03}
	senseTasksCleared      = senseCode{keyUnitAttention, 0x2f, 0x00}
	senseWriteProtected    = senseCode{keyDataProtect, 0x27, 0x00}
	senseSpaceAllocation   = senseCode{keyDataProtect, 0x27, 0x07}
	senseMiscompareContent = senseCode{keyMiscompare, 0x1d, 0x00}
)

// Sense is the sense data of a command that ended with CHECK CONDITION, else empty. It stays valid until the command is reused.
func (c *Command) Sense() []byte { return c.sense[:c.nsense] }

// Reset empties what an earlier execution has left in c. The transport calls it before it uses c again.
func (c *Command) Reset() {
	c.Data.Release()
	c.Nexus, c.DataOut, c.Room, c.Want, c.Status, c.nsense = nil, nil, 0, 0, StatusGood, 0
}

// check ends c with CHECK CONDITION.
func (c *Command) check(s senseCode) {
	c.Data.Release()
	c.Want = max(c.Want, 0)
	c.Status = StatusCheckCondition
	c.nsense = putSense(c.sense[:], s)
}

// checkInfo is check with the INFORMATION field: the first LBA or byte concerned (SPC-5 4.4.2.2).
func (c *Command) checkInfo(s senseCode, info uint64) {
	c.check(s)
	if info <= 0xffffffff {
		c.sense[0] |= 0x80 // VALID
		binary.BigEndian.PutUint32(c.sense[3:], uint32(info))
	}
}

// checkField is check with a field pointer: the byte of the CDB, or of the parameter list, that is wrong (SPC-5 4.4.2.4.2).
func (c *Command) checkField(s senseCode, inCDB bool, at int) {
	c.check(s)
	c.sense[15] = 0x80 // SKSV
	if inCDB {
		c.sense[15] |= 0x40
	}
	binary.BigEndian.PutUint16(c.sense[16:], uint16(at))
}

// invalidField refuses the byte of the CDB at the given offset.
func (c *Command) invalidField(at int) { c.checkField(senseInvalidField, true, at) }

// fail ends c with what an error of the Store means. otherwise is for errors that a Store does not name.
func (c *Command) fail(err error, otherwise senseCode) {
	switch {
	case errors.Is(err, ErrNotReady):
		c.check(senseBecomingReady)
	case errors.Is(err, ErrNoSpace):
		c.check(senseSpaceAllocation)
	case errors.Is(err, ErrWriteProtected):
		c.check(senseWriteProtected)
	case errors.Is(err, ErrReservation):
		c.Data.Release()
		c.Status = StatusReservationConflict
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // behind the others, whose cause may be a deadline of the store's own
		c.Data.Release()
		c.Status = StatusTaskAborted
	default:
		c.check(otherwise)
	}
}

// putSense writes fixed format sense data.
func putSense(p []byte, s senseCode) int {
	clear(p[:senseMax])
	p[0] = 0x70 // current
	p[2] = s.key
	p[7] = senseMax - 8
	p[12], p[13] = s.asc, s.ascq
	return senseMax
}
