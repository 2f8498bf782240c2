package scsi

import (
	"context"
	"encoding/binary"
)

// Mode pages (SPC-5 7.5, SBC-3 6.5).
const (
	pageCaching       = 0x08
	pageControl       = 0x0a
	pageInformational = 0x1c
	pageAll           = 0x3f
)

// Page control (SPC-5 table 176).
const (
	pageCurrent = iota
	pageChangeable
	pageDefault
	pageSaved
)

// swp is the software write protect bit in byte 4 of the control page, the one bit that MODE SELECT may change.
const swp = 0x08

// modePage builds one page, header included.
func (u *Unit) modePage(code byte, control int) []byte {
	switch code {
	case pageCaching:
		p := make([]byte, 20)
		p[0], p[1] = code, 18
		if control != pageChangeable && u.geometry.Load().WriteCache {
			p[2] = 0x04 // WCE
		}
		return p
	case pageControl:
		p := make([]byte, 12)
		p[0], p[1] = code, 10
		if control == pageChangeable {
			p[4] = swp
			return p
		}
		p[3] = 0x10 // QUEUE ALGORITHM MODIFIER: unrestricted reordering
		if control == pageCurrent && u.protected.Load() {
			p[4] = swp
		}
		p[8], p[9] = 0xff, 0xff // BUSY TIMEOUT PERIOD: unlimited
		return p
	case pageInformational:
		return []byte{code, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	}
	return nil
}

// modeSense is MODE SENSE(6) and (10) (SPC-5 6.14, 6.15).
func (u *Unit) modeSense(_ context.Context, c *Command) {
	long := c.CDB[0] == 0x5a
	code, control, subpage := c.CDB[2]&0x3f, int(c.CDB[2]>>6), c.CDB[3]
	if control == pageSaved {
		c.check(senseSaving)
		return
	}
	codes := []byte{code}
	if code == pageAll {
		codes = []byte{pageCaching, pageControl, pageInformational}
	}
	if subpage != 0 && subpage != 0xff { // no page has subpages, so all of them are the page
		c.invalidField(3)
		return
	}
	var pages []byte
	for _, code := range codes {
		page := u.modePage(code, control)
		if page == nil {
			c.invalidField(2)
			return
		}
		pages = append(pages, page...)
	}
	descriptor := u.blockDescriptor(c.CDB[1], long)
	allocation := int(c.CDB[4])
	if long {
		allocation = int(binary.BigEndian.Uint16(c.CDB[7:]))
	}
	c.reply(u.modeHeader(long, descriptor, pages), allocation)
}

// blockDescriptor is what DBD and LLBAA in byte 1 ask for (SBC-3 6.5.2).
func (u *Unit) blockDescriptor(flags byte, long bool) []byte {
	const dbd, llbaa = 0x08, 0x10
	g := u.geometry.Load()
	switch {
	case flags&dbd != 0:
		return nil
	case long && flags&llbaa != 0:
		p := make([]byte, 16)
		binary.BigEndian.PutUint64(p, g.Blocks)
		binary.BigEndian.PutUint32(p[12:], uint32(g.BlockSize))
		return p
	}
	p := make([]byte, 8)
	binary.BigEndian.PutUint32(p, uint32(min(g.Blocks, 0xffffffff)))
	binary.BigEndian.PutUint32(p[4:], uint32(g.BlockSize)) // its top byte is reserved, and zero
	return p
}

// modeHeader puts the mode parameter header before descriptor and pages (SPC-5 7.5.6).
func (u *Unit) modeHeader(long bool, descriptor, pages []byte) []byte {
	specific := byte(0x10) // DPOFUA
	if u.protected.Load() || u.geometry.Load().ReadOnly {
		specific |= 0x80 // WP
	}
	n := len(descriptor) + len(pages)
	var p []byte
	if long {
		p = binary.BigEndian.AppendUint16(nil, uint16(n+6))
		llba := byte(0)
		if len(descriptor) == 16 {
			llba = 1
		}
		p = append(p, 0, specific, llba, 0)
		p = binary.BigEndian.AppendUint16(p, uint16(len(descriptor)))
	} else {
		p = []byte{byte(n + 3), 0, specific, byte(len(descriptor))}
	}
	return append(append(p, descriptor...), pages...)
}
