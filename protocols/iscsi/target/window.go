package target

import (
	"sync/atomic"

	"forebay/protocols/iscsi"
)

// window is the command window of RFC 7143 4.2.2.1. A command takes a place in it when its turn comes, and gives it back with its
// answer, so that the upper end only grows. What is answered ahead of its turn gives its place back when that comes: so the window is
// never wider than what it opened with, nor is there more to hold. While commands wait for memory the places stay taken, and the
// window shrinks.
type window struct {
	exp      atomic.Uint32 // ExpCmdSN; written by the reader
	max      atomic.Uint32 // MaxCmdSN; written with outbox.mu held
	withheld uint32        // places that will be given back when there is memory; guarded by outbox.mu
	held     map[uint32]early
}

// early is a request that came before its turn.
type early struct {
	task   *task // SCSI command, held by this entry
	header [iscsi.HeaderLength]byte
	data   []byte
	gone   bool // nothing is left to do but to give the place back: refused, or aborted before it came
}

func (w *window) open(cmdSN uint32, commands int) {
	w.exp.Store(cmdSN)
	w.max.Store(cmdSN + uint32(commands) - 1)
	w.held = make(map[uint32]early)
}

// contains says whether a CmdSN may come now.
func (w *window) contains(sn uint32) bool {
	return !iscsi.SerialLess(sn, w.exp.Load()) && !iscsi.SerialLess(w.max.Load(), sn)
}

// took says whether a request that came holds a place: immediate ones never do, nor those whose turn has not come.
func (w *window) took(h iscsi.Header) bool {
	return !h.Immediate() && iscsi.SerialLess(h.CmdSN(), w.exp.Load())
}

// answered returns the place of a command that is at its end, if it holds one. Preconditions: outbox.mu is held.
func (w *window) answered(took, crowded bool) {
	switch {
	case !took:
	case crowded:
		w.withheld++
	default:
		w.max.Add(1 + w.withheld)
		w.withheld = 0
	}
}

// reopen gives back the places that were withheld for want of memory, and tells the initiator, which may have nothing under way
// whose answer would.
func (c *conn) reopen() {
	if c.budget.crowded() {
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.window.withheld == 0 {
		return
	}
	c.window.max.Add(c.window.withheld)
	c.window.withheld = 0
	c.queueNopIn(iscsi.ReservedTag)
}

// request takes a PDU that has a CmdSN: it is performed now, held until its turn comes, or ignored.
func (c *conn) request(h iscsi.Header, extended bool) error {
	w := &c.window
	if h.Immediate() {
		return c.perform(h, extended)
	}
	sn := h.CmdSN()
	if !w.contains(sn) {
		return c.in.discard(h.DataLength())
	}
	if sn != w.exp.Load() {
		if _, duplicate := w.held[sn]; duplicate {
			return c.in.discard(h.DataLength())
		}
		return c.hold(h, extended)
	}
	w.exp.Add(1)
	if err := c.perform(h, extended); err != nil || len(w.held) == 0 {
		return err
	}
	return c.due()
}

// hold keeps a request that came before its turn. Its data is taken now: unsolicited data may follow.
func (c *conn) hold(h iscsi.Header, extended bool) error {
	if h.Opcode() == iscsi.OpSCSICommand && !c.session.discovery {
		t, err := c.collect(h, extended, true)
		if err == nil {
			c.window.held[h.CmdSN()] = early{task: t, gone: t == nil}
		}
		return err
	}
	if h.DataLength() > firstBurst {
		return protocolError("%d bytes of data ahead of their turn", h.DataLength())
	}
	data, err := c.segment(h.DataLength())
	if err != nil {
		return err
	}
	e := early{data: data}
	copy(e.header[:], h)
	c.window.held[h.CmdSN()] = e
	return nil
}

// due performs the requests whose turn has come.
func (c *conn) due() error {
	for {
		sn := c.window.exp.Load()
		e, ok := c.window.held[sn]
		if !ok {
			return nil
		}
		delete(c.window.held, sn)
		c.window.exp.Add(1)
		switch {
		case e.gone:
			c.giveBack(true)
		case e.task != nil:
			c.ripen(e.task)
		default:
			if err := c.performWith(e.header[:], e.data); err != nil {
				return err
			}
		}
	}
}

// ripen goes on with a task whose turn has come. If it was aborted before, its place is given back now.
func (c *conn) ripen(t *task) {
	x := c.session
	x.mu.Lock()
	t.early = false
	aborted := t.aborted
	x.mu.Unlock()
	if aborted {
		c.giveBack(true)
		x.letGo(t)
		return
	}
	c.advance(t)
}
