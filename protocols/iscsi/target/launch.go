package target

import "forebay/protocols/scsi"

// launch has the device execute a claimed write without a worker that waits for it, if the device does that. The reader calls it, and sees to a kick
// before it waits for anything: so what has come together is written together, and answered together.
func (c *conn) launch(t *task) bool {
	d, ok := t.device.(scsi.Launcher)
	if !ok || !t.write() {
		return false
	}
	if c.started != d {
		c.kick()
	}
	x := c.session
	life := &revocable{Context: x.ctx}
	x.mu.Lock()
	t.life = life
	if t.aborted {
		life.revoke()
	}
	x.running.Add(1) // by the reader
	x.mu.Unlock()
	if !d.Launch(life, &t.cmd, t.launched) {
		x.running.Done()
		return false
	}
	c.started = d
	return true
}

// kick has the device do what the reader has launched. What is answered meanwhile is the reader's to send.
func (c *conn) kick() {
	d := c.started
	if d == nil {
		return
	}
	c.started = nil
	c.kicking.Store(true)
	d.Kick()
	c.kicking.Store(false)
}

// kickAndFlush comes before the reader waits for the peer.
func (c *conn) kickAndFlush() error {
	c.kick()
	return c.out.flush()
}

// launched answers a task that was launched. Who calls it can't wait for the peer: a worker sends, unless the reader is about to.
func (c *conn) launched(t *task) {
	t.life.release()
	c.complete(t, false)
	if !c.kicking.Load() && !c.flushing.Swap(true) {
		c.session.running.Add(1)
		c.workers.Do(job{})
	}
	c.session.running.Done()
}
