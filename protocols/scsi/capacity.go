package scsi

import (
	"context"
	"encoding/binary"
	"math/bits"
)

// readCapacity16 is READ CAPACITY(16) (SBC-3 5.13).
func (u *Unit) readCapacity16(_ context.Context, c *Command) {
	g := u.geometry.Load()
	p := make([]byte, 32)
	binary.BigEndian.PutUint64(p, g.Blocks-1)
	binary.BigEndian.PutUint32(p[8:], uint32(g.BlockSize))
	p[13] = byte(bits.Len(uint(max(1, g.PhysicalBlock/g.BlockSize))) - 1)
	if g.Thin {
		p[14] |= 0x80 // LBPME
		if g.ZeroesOnUnmap {
			p[14] |= 0x40 // LBPRZ
		}
	}
	c.reply(p, int(binary.BigEndian.Uint32(c.CDB[10:])))
}

// requestSense is REQUEST SENSE (SPC-5 6.39): the oldest unit attention, which it clears, else the unit's state.
func (u *Unit) requestSense(_ context.Context, c *Command) {
	if c.CDB[1]&0x01 != 0 { // DESC: descriptor format is not offered
		c.invalidField(1)
		return
	}
	s, ok := u.attentionsOf(c.Nexus).take()
	switch {
	case ok:
	case !u.isReady():
		s = senseBecomingReady
	case u.stopped.Load():
		s = senseStopped
	}
	p := make([]byte, senseMax)
	putSense(p, s)
	c.reply(p, int(c.CDB[4]))
}
