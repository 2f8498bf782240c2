package target

import (
	"context"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

// taskState says who may touch a task.
type taskState int

const (
	collecting taskState = iota // the reader, while it holds it
	waiting                     // who grants it memory; the budget's line holds it
	running                     // who executes it
)

// task is one SCSI command from its PDU to the end of its response's way to the socket. Tasks are reused.
type task struct {
	cmd    scsi.Command
	device scsi.Device // nil: the LUN has none
	unit   uint64      // LUN, or noUnit
	lun    [8]byte     // as it came
	tag    uint32      // initiator task tag
	cmdSN  uint32
	flags  byte
	edtl   int           // expected data transfer length, bytes
	start  time.Duration // since the connection was opened

	immediate bool   // it took no place in the command window
	launched  func() // what a device that the task was launched at calls; it stays with the task

	// Data-out.
	buf         []byte // of the pool; shorter than want until the budget grants the rest
	want        int    // bytes to collect
	got         int    // bytes collected, in order
	first       int    // bytes that may come unasked
	unsolicited bool   // unsolicited data is still to come
	dataSN      uint32 // next in the unsolicited sequence
	asked       int    // bytes that came unasked or were asked for
	gap         bool   // a data PDU is missing: what else comes is read over
	r2tSN       uint32 // R2Ts sent
	r2ts        [maxR2T]r2t

	demand   int // bytes that it stands in line for
	reserved int // bytes of the budget

	// Guarded by session.mu.
	state   taskState
	holders int
	early   bool // its CmdSN is not due yet; only the reader writes it
	aborted bool
	cancel  context.CancelFunc // while running on a goroutine of its own
	life    *revocable         // of a task that was launched
	ended   chan struct{}      // see end
}

// noUnit is the number of a LUN that can't be one.
const noUnit = ^uint64(0)

// r2t is a solicited burst under way; length 0: the entry is free.
type r2t struct {
	tag            uint32 // target transfer tag
	offset, length int
	got            int
	dataSN         uint32
}

// end returns what is closed when the device has returned and the answer, if there is one, is queued. Preconditions: session.mu is
// held, and t runs.
func (t *task) end() <-chan struct{} {
	if t.ended == nil {
		t.ended = make(chan struct{})
	}
	return t.ended
}

func (t *task) write() bool { return t.flags&iscsi.FlagWrite != 0 }

// newTask makes a task of a SCSI Command PDU.
func (c *conn) newTask(h iscsi.Header) *task {
	t := c.free.Take()
	if t.launched == nil {
		t.launched = func() { c.launched(t) }
	}
	t.tag, t.cmdSN, t.flags, t.edtl, t.immediate = h.InitiatorTag(), h.CmdSN(), h.Flags(), int(h.ExpectedLength()), h.Immediate()
	copy(t.lun[:], h.LUN())
	copy(t.cmd.CDB[:], h.CDB())
	t.cmd.Nexus = &c.session.nexus
	if t.flags&iscsi.FlagRead != 0 {
		t.cmd.Room = t.edtl
	}
	t.device, t.unit = c.session.device(t.lun[:])
	t.start = time.Since(c.opened)
	return t
}

// recycle gives back all that a task holds. Nobody else may know it any more. Preconditions: neither session.mu nor outbox.mu is
// held, as the budget may pass on what it gets back.
func (c *conn) recycle(t *task) {
	c.freeBuffer(t)
	t.cmd.Reset()
	reserved, data, launched := t.reserved, t.cmd.Data, t.launched
	*t = task{launched: launched}
	t.cmd.Data = data // empty; it keeps its slices
	c.free.Give(t)
	if reserved > 0 {
		c.budget.release(reserved)
		c.reopen()
	}
}

func (c *conn) freeBuffer(t *task) {
	if t.buf != nil {
		c.srv.opts.Buffers.Put(t.buf)
		t.buf, t.cmd.DataOut = nil, nil
	}
}
