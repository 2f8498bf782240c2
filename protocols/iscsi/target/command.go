package target

import (
	"context"
	"runtime"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

const opReportLUNs = 0xa0

// responseTargetFailure is the response of RFC 7143 11.4.3 to commands that can't be carried.
const responseTargetFailure = 0x01

// command takes a SCSI Command whose turn it is. Commands without data-out that need no waiting never enter the table.
func (c *conn) command(h iscsi.Header, extended bool) error {
	t, err := c.collect(h, extended, false)
	if err != nil || t == nil {
		return err
	}
	c.advance(t)
	return nil
}

// collect takes the PDU of a SCSI Command with its immediate data. It returns the task, held in the table; or nil when the command
// has been answered.
func (c *conn) collect(h iscsi.Header, extended, early bool) (*task, error) {
	n, flags := h.DataLength(), h.Flags()
	x := c.session
	x.commands.Add(1)
	switch {
	case extended || flags&iscsi.FlagRead != 0 && flags&iscsi.FlagWrite != 0:
		return nil, c.refuse(h, n, responseTargetFailure, scsi.StatusGood)
	case h.Immediate() && x.crowdedWithImmediate():
		return nil, c.reject(h, iscsi.RejectImmediate, n)
	case x.knows(h.InitiatorTag()) || h.InitiatorTag() == iscsi.ReservedTag:
		return nil, c.reject(h, iscsi.RejectInvalidField, n)
	case flags&iscsi.FlagWrite != 0:
		return c.collectWrite(h, early)
	case n > 0 || !h.Final():
		return nil, protocolError("data with a command that takes none")
	}
	t := c.newTask(h)
	t.early = early
	if !early && c.inline(t) {
		c.observe(t, true)
		c.deliver(t)
		return nil, nil
	}
	x.add(t)
	return t, nil
}

func (c *conn) collectWrite(h iscsi.Header, early bool) (*task, error) {
	n := h.DataLength()
	t := c.newTask(h)
	t.early = early
	t.want = min(t.edtl, scsi.MaxTransfer)
	t.first = min(c.params.FirstBurst, t.want)
	t.unsolicited = !h.Final()
	if n > t.first || n > 0 && !c.params.ImmediateData || t.unsolicited && c.params.InitialR2T {
		c.recycle(t)
		return nil, protocolError("%d bytes of immediate data, or unsolicited data announced, against what was agreed", n)
	}
	if !c.memory(t, n > 0 || t.unsolicited) {
		c.recycle(t)
		status := scsi.StatusTaskSetFull
		if c.session.inFlight() == 0 {
			status = scsi.StatusBusy
		}
		return nil, c.refuse(h, n, 0, status)
	}
	if err := c.in.data(t.buf[:n]); err != nil {
		c.recycle(t)
		return nil, err
	}
	t.got, t.asked = n, n
	c.session.add(t)
	return t, nil
}

// memory gets a write its buffer: the whole of it if there is room, else that of the first burst. A first burst has its room for
// certain, but the pool, which all connections share, may be exhausted.
func (c *conn) memory(t *task, unasked bool) bool {
	get := c.srv.opts.Buffers.Get
	switch {
	case t.want == 0:
		return true
	case t.want <= firstBurst:
		t.buf = get(t.want)
	case c.budget.try(t.want):
		t.reserved = t.want
		t.buf = get(t.want)
	case !unasked:
		return true
	default:
		t.buf = get(t.first)
	}
	return t.buf != nil
}

// advance brings a task as far as it can go now. The reader calls it, and its hold is consumed.
func (c *conn) advance(t *task) {
	switch {
	case t.early || t.unsolicited:
		c.session.letGo(t)
	case t.gap:
		c.failGap(t)
	case t.got == t.want:
		c.start(t)
	case len(t.buf) == t.want:
		c.solicit(t)
	default:
		c.queue(t, t.want)
	}
}

// queue reserves n bytes for a task before it goes on; it may have to stand in line for them. It consumes the caller's hold.
func (c *conn) queue(t *task, n int) {
	if c.session.wait(t) && c.budget.reserve(t, n) {
		c.granted(t)
	}
}

// granted continues a task that has got its memory.
func (c *conn) granted(t *task) {
	t.reserved = t.demand
	if t.got < t.want {
		c.grow(t)
	} else if c.session.claim(t) {
		c.spawn(t)
	}
}

// grow gives a write that has its room the whole buffer, and asks for the rest of its data. It consumes the caller's hold.
func (c *conn) grow(t *task) {
	whole := c.srv.opts.Buffers.Get(t.want)
	if whole == nil {
		if c.session.claim(t) {
			t.cmd.Status = scsi.StatusBusy
			c.complete(t, false)
		}
		return
	}
	copy(whole, t.buf[:t.got])
	c.freeBuffer(t)
	t.buf = whole
	c.solicit(t)
}

// start executes a task whose data is complete. It consumes the caller's hold.
func (c *conn) start(t *task) {
	if n := min(t.cmd.Room, scsi.MaxTransfer); n > firstBurst {
		c.queue(t, n)
		return
	}
	if !c.session.claim(t) {
		return
	}
	t.cmd.DataOut = t.buf[:t.got]
	if t.write() && c.inline(t) { // the others were asked when they came, or came before their turn
		c.complete(t, true)
		return
	}
	if !c.launch(t) {
		c.spawn(t)
	}
}

// job is a claimed task on its way to a worker, and what it may run under.
type job struct {
	task   *task
	ctx    context.Context //nolint:containedctx // it is handed over
	cancel context.CancelFunc
}

// spawn has a worker execute a claimed task.
func (c *conn) spawn(t *task) {
	x := c.session
	j := job{task: t}
	j.ctx, j.cancel = context.WithCancel(x.ctx)
	x.mu.Lock()
	t.cancel = j.cancel
	if t.aborted {
		j.cancel()
	}
	x.running.Add(1) // by the reader, or by a goroutine that is counted
	x.mu.Unlock()
	c.workers.Do(j)
}

// work executes a task and answers it. Without one it sends what others have answered.
func (c *conn) work(j job) {
	defer c.session.running.Done()
	if j.task == nil {
		c.flushing.Store(false)
		_ = c.out.flush()
		return
	}
	defer j.cancel()
	if j.ctx.Err() == nil {
		c.execute(j.ctx, j.task)
	}
	c.complete(j.task, false)
	runtime.Gosched() // others that are about to answer go first, and go with it
	_ = c.out.flush() // the reader finds out that the connection is gone
}

func (c *conn) execute(ctx context.Context, t *task) {
	if t.device == nil || t.cmd.CDB[0] == opReportLUNs {
		c.inline(t)
		return
	}
	t.device.Execute(ctx, &t.cmd)
}

// inline executes a task now if that needs no waiting.
func (c *conn) inline(t *task) bool {
	switch {
	case t.device == nil:
		scsi.NoSuchUnit(&t.cmd, c.session.luns())
		return true
	case t.cmd.CDB[0] == opReportLUNs:
		scsi.ReportLUNs(&t.cmd, c.session.luns())
		return true
	}
	return t.device.Inline(&t.cmd)
}

// complete answers a task of the table that a device is done with, or recycles it if it has been aborted.
func (c *conn) complete(t *task, inline bool) {
	x := c.session
	if x.wanted(t) {
		c.observe(t, inline)
	}
	c.freeBuffer(t)
	x.mu.Lock()
	if t.ended != nil {
		defer close(t.ended)
	}
	if t.aborted {
		delete(x.dying, t)
		x.mu.Unlock()
		c.recycle(t)
		return
	}
	x.remove(t)
	kept := c.queueAnswer(t)
	x.mu.Unlock()
	if !kept {
		c.recycle(t)
	}
}

// deliver answers a task that never was in the table.
func (c *conn) deliver(t *task) {
	if !c.queueAnswer(t) {
		c.recycle(t)
	}
}

// queueAnswer queues what a task is answered, and says whether the batch keeps the task.
func (c *conn) queueAnswer(t *task) (kept bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.window.answered(!t.immediate, c.budget.crowded())
	return c.respond(c.out.gathering, t)
}

func (c *conn) observe(t *task, inline bool) {
	if o := c.srv.opts.Observer; o != nil && t.device != nil {
		o.Observe(t.device, &t.cmd, min(t.cmd.Data.Len(), t.edtl), t.got, time.Since(c.opened)-t.start, inline)
	}
}

// refuse answers a command that was never a task, and reads over its data.
func (c *conn) refuse(h iscsi.Header, n int, response byte, status scsi.Status) error {
	c.out.mu.Lock()
	c.window.answered(c.window.took(h), c.budget.crowded())
	r := c.reply(c.out.gathering, iscsi.OpSCSIResponse, h.InitiatorTag())
	r.SetStatSN(c.out.nextStatSN())
	r.SetResponse(response)
	r.SetStatus(byte(status))
	if edtl := h.ExpectedLength(); edtl > 0 {
		r.SetFlags(iscsi.FlagFinal | iscsi.FlagUnderflow)
		r.SetResidual(edtl)
	}
	c.out.pdu(c.out.gathering, r, nil)
	c.out.mu.Unlock()
	return c.in.discard(n)
}
