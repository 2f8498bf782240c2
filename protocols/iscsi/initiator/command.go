package initiator

import (
	"forebay/protocols/iscsi"
)

// Command is one SCSI command. The caller fills the first part and may read the second once Done has been called; from Submit until
// then the command and its buffers are the session's. It may then be submitted again, to any session.
type Command struct {
	LUN  uint16
	CDB  [16]byte
	Out  []byte         // data to write, or
	In   []byte         // where data that is read goes; its length is the expected data transfer length
	Done func(*Command) // called once if Submit returned nil. It must not block; it may Submit

	Err      error  // the command got no status: errors.Is with ErrOutcomeUnknown, ErrNotSent, ErrAborted, ErrTargetFailure, ErrProtocol
	Status   byte   // SCSI status (SAM-5 5.3.1), valid if Err is nil
	Sense    []byte // sense data; the memory is used again when the command is
	Residual int    // bytes of In or Out that were not transferred, also when the status is GOOD; negative: bytes that had no room

	task
}

// task is what the session keeps of a command. The fields are guarded by Session.mu; received is the reader's alone.
type task struct {
	next     *Command // in the queue of those that wait for the window
	tag      uint32
	slot     uint16
	state    taskState
	cmdSN    uint32
	epoch    uint64 // Session.mu.epoch when it was submitted
	held     int    // batches of the outbox that refer to Out
	solicits int    // R2Ts whose data has not been written yet
	received uint32 // bytes of Data-In
	dataSN   uint32
	ready    chan struct{} // for Do
}

type taskState byte

const (
	idle taskState = iota
	queued
	sent
	finished // its outcome is known, but the outbox still refers to Out
)

// reset prepares a command for its submission.
func (c *Command) reset() {
	c.Err, c.Status, c.Residual, c.Sense = nil, 0, 0, c.Sense[:0]
	c.task = task{ready: c.ready}
}

// Failure is nil for a command that ended with GOOD, or well after some recovery (RECOVERED ERROR; SPC-4 4.5.6), else Err or a *StatusError.
func (c *Command) Failure() error {
	if c.Err != nil {
		return c.Err
	}
	if c.Status == StatusGood {
		return nil
	}
	e := statusError(c)
	if e.Status == StatusCheckCondition && e.Key == SenseRecovered && !e.Deferred {
		return nil
	}
	return e
}

// setStatus takes status and residual of a SCSI Response, or of a Data-In with S. What came counts, not what the target says of it.
func (c *Command) setStatus(h iscsi.Header) {
	c.Status = h.Status()
	switch {
	case h.Flags()&iscsi.FlagOverflow != 0:
		c.Residual = -int(h.Residual())
	case h.Flags()&iscsi.FlagUnderflow != 0:
		c.Residual = min(int(h.Residual()), len(c.In)+len(c.Out))
	}
	missing := len(c.In) - int(c.received)
	if c.Status == StatusGood && missing > max(c.Residual, 0) {
		c.Err = protocolError("%d of %d bytes came, without a residual", c.received, len(c.In))
	}
	if len(c.In) > 0 && c.Residual >= 0 {
		c.Residual = missing
	}
}

// encodeLUN writes a LUN with the peripheral or the flat addressing method (SAM-5 4.7).
func encodeLUN(p []byte, lun uint16) {
	p[0], p[1] = byte(lun>>8), byte(lun)
	if lun > 255 {
		p[0] |= 0x40
	}
}
