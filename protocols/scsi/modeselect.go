package scsi

import (
	"context"
	"encoding/binary"
)

// modeSelect is MODE SELECT(6) and (10) (SPC-5 6.12, 6.13). Parameters may say what is so already, and change what is changeable;
// nothing is saved.
func (u *Unit) modeSelect(_ context.Context, c *Command) {
	const pageFormat, save = 0x10, 0x01
	long := c.CDB[0] == 0x55
	length, header := int(c.CDB[4]), 4
	if long {
		length, header = int(binary.BigEndian.Uint16(c.CDB[7:])), 8
	}
	if c.CDB[1]&pageFormat == 0 && length > 0 || c.CDB[1]&save != 0 {
		c.invalidField(1)
		return
	}
	if !c.takes(int64(length)) || length == 0 {
		return
	}
	list := c.DataOut[:length]
	if len(list) < header {
		c.check(senseParameterLength)
		return
	}
	descriptors := int(list[3])
	if long {
		descriptors = int(binary.BigEndian.Uint16(list[6:]))
	}
	if len(list)-header < descriptors {
		c.check(senseParameterLength)
		return
	}
	if d := list[header : header+descriptors]; len(d) > 0 && !u.describes(d, long && list[4]&0x01 != 0) {
		c.checkField(senseInvalidParameter, false, header)
		return
	}
	u.selectPages(c, list, header+descriptors)
}

// describes says whether a block descriptor, of 16 bytes with long LBAs, leaves the medium as it is: another block length or number
// of blocks would have to be formatted. No blocks, or as many as there can be, stand for those there are (SBC-3 6.5.2).
func (u *Unit) describes(d []byte, longLBA bool) bool {
	g := u.geometry.Load()
	be := binary.BigEndian
	switch {
	case longLBA && len(d) == 16:
		n := be.Uint64(d)
		return be.Uint32(d[12:]) == uint32(g.BlockSize) && (n == 0 || n == ^uint64(0) || n == g.Blocks)
	case !longLBA && len(d) == 8:
		n := be.Uint32(d)
		return be.Uint32(d[4:])&0xffffff == uint32(g.BlockSize) && (n == 0 || n == ^uint32(0) || uint64(n) == g.Blocks)
	}
	return false
}

// selectPages checks all pages before it applies the first.
func (u *Unit) selectPages(c *Command, list []byte, at int) {
	protect, given := false, false
	for at < len(list) {
		if len(list)-at < 2 || len(list)-at-2 < int(list[at+1]) {
			c.check(senseParameterLength)
			return
		}
		page := list[at : at+2+int(list[at+1])]
		code := page[0] & 0x3f
		current, changeable := u.modePage(code, pageCurrent), u.modePage(code, pageChangeable)
		if page[0]&0x40 != 0 || len(current) != len(page) {
			c.checkField(senseInvalidParameter, false, at)
			return
		}
		for i := 2; i < len(page); i++ {
			if (page[i]^current[i])&^changeable[i] != 0 {
				c.checkField(senseInvalidParameter, false, at+i)
				return
			}
		}
		if code == pageControl {
			protect, given = page[4]&swp != 0, true
		}
		at += len(page)
	}
	if given && u.protected.Swap(protect) != protect {
		u.attend(c.Nexus, senseModeChanged)
	}
}
