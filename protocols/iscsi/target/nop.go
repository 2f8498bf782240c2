package target

import (
	"time"

	"forebay/protocols/iscsi"
)

// pingTag is the target transfer tag of our NOP-Ins that ask for an answer.
const pingTag = 1

// nopOut answers a ping. A NOP-Out without an initiator task tag answers one of ours: that it came is all there is to it.
func (c *conn) nopOut(h iscsi.Header, data []byte) {
	if h.InitiatorTag() == iscsi.ReservedTag {
		c.giveBack(c.window.took(h))
		return
	}
	c.answer(iscsi.OpNopIn, h, data[:min(len(data), c.params.MaxSend)], func(r iscsi.Header) {
		r.SetLUN(h.LUN())
		r.SetTargetTag(iscsi.ReservedTag)
	})
}

// queueNopIn queues a NOP-In of our own; with a tag it asks for an answer. It takes no StatSN (RFC 7143 11.19.2). Preconditions:
// outbox.mu is held.
func (c *conn) queueNopIn(tag uint32) {
	b := c.out.gathering
	h := c.reply(b, iscsi.OpNopIn, iscsi.ReservedTag)
	h.SetTargetTag(tag)
	c.out.head(b, h, 0)
}

// watch begins to look for a dead peer: silence is answered with a NOP-In, more silence with the end.
func (c *conn) watch() {
	c.touch()
	x := c.session
	x.mu.Lock() // look may fire before the assignment
	c.alive = time.AfterFunc(c.srv.opts.NopInterval, c.look)
	x.mu.Unlock()
}

// touch notes that bytes have come.
func (c *conn) touch() {
	c.heard.Store(int64(time.Since(c.opened)))
	c.pinged.Store(0)
}

// left notes that bytes have gone out. That proves nothing about the peer, but the answer to a NOP-In can't come while what is in front
// of it is on its way.
func (c *conn) left() { c.sent.Store(int64(time.Since(c.opened))) }

func (c *conn) look() {
	x := c.session
	if !x.begin() {
		return
	}
	defer x.running.Done()
	o := &c.srv.opts
	pinged := time.Duration(c.pinged.Load())
	now := time.Since(c.opened)
	silence := now - time.Duration(c.heard.Load())
	var next time.Duration
	switch {
	case silence < o.NopInterval:
		next = o.NopInterval - silence
	case pinged == 0:
		next = o.NopTimeout
		c.pinged.Store(int64(now))
		c.out.mu.Lock()
		c.queueNopIn(pingTag)
		c.out.mu.Unlock()
		defer func() { _ = c.out.flush() }() // it may wait for a peer that doesn't read, so it comes last
	default:
		next = max(pinged, time.Duration(c.sent.Load())) + o.NopTimeout - now
	}
	if next <= 0 {
		c.log.Warn().Err(errSilent).Dur("silence", silence).Msg("peer is dead")
		c.net.Close()
		return
	}
	x.mu.Lock()
	c.alive.Reset(next)
	x.mu.Unlock()
}
