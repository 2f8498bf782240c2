package scsi

import "context"

// readNow is the hit path: it executes a READ if the store has all of it, and changes nothing otherwise. Whatever is unusual about
// the command is left to execute.
func (u *Unit) readNow(op *operation, c *Command) bool {
	a, known := u.nexuses.Load(c.Nexus)
	if !known || a.(*attentions).pending.Load() != 0 || !u.ready.Load() || u.stopped.Load() || c.CDB[op.controlByte()]&naca != 0 {
		return false
	}
	if !six(c.CDB[0]) && c.CDB[1]&(protectMask|fuaBit) != 0 {
		return false
	}
	g := u.geometry.Load()
	e := parseExtent(&c.CDB)
	if !e.within(g) || e.n == 0 || e.n > int64(c.Room) || e.n > MaxTransfer || !u.store.ReadNow(&c.Data, e.off, int(e.n)) {
		return false
	}
	c.Status = StatusGood
	c.Want = int(e.n)
	return true
}

// read is READ(6) to READ(16) (SBC-3 5.8 to 5.11). DPO needs no action. FUA promises that what is read is durable, so the array is
// flushed first.
func (u *Unit) read(ctx context.Context, c *Command) {
	if !unprotected(c) {
		return
	}
	e, g, ok := u.extentOf(c)
	if !ok {
		return
	}
	if e.n > MaxTransfer {
		c.invalidField(lengthField(c.CDB[0]))
		return
	}
	if c.fua() && !u.flush(ctx, c) {
		return
	}
	if n := min(int(e.n), roundUp(c.Room, g.BlockSize)); n > 0 {
		if err := u.store.Read(ctx, &c.Data, e.off, n); err != nil {
			c.fail(err, senseReadError)
			return
		}
	}
	c.Want = int(e.n)
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
