package scsi

import (
	"context"
	"encoding/binary"
	"fmt"
)

const productRevision = "1"

// reply ends c with data-in, cut at what the CDB allows.
func (c *Command) reply(p []byte, allocation int) {
	c.Data.Add(p[:min(len(p), allocation)], nil, 0)
	c.Want = c.Data.Len()
}

// fromBase lets gotgt answer.
func (u *Unit) fromBase(_ context.Context, c *Command) { u.base.serve(c) }

// inquiry is INQUIRY (SPC-5 6.6).
func (u *Unit) inquiry(_ context.Context, c *Command) {
	allocation := int(binary.BigEndian.Uint16(c.CDB[3:]))
	if c.CDB[1]&0x01 == 0 {
		if c.CDB[2] != 0 {
			c.invalidField(2)
			return
		}
		u.standardInquiry(c, allocation)
		return
	}
	page, ok := u.vitalProductData(c)
	if !ok {
		c.invalidField(2)
		return
	}
	c.reply(page, allocation)
}

// standardInquiry takes gotgt's answer and corrects two claims: SPC-4 (its version byte says SPC-3, and SBC-3 needs more), and
// target port groups, which are not offered yet.
func (u *Unit) standardInquiry(c *Command, allocation int) {
	whole := *c
	whole.Data = Data{}
	binary.BigEndian.PutUint16(whole.CDB[3:], 0xffff)
	u.base.serve(&whole)
	if whole.Status != StatusGood || whole.Data.Len() < standardInquiryLength {
		c.check(senseInternalFailure)
		return
	}
	data := whole.Data.Segments()[0][:standardInquiryLength]
	data[2] = 0x06  // SPC-4
	data[5] = 0x00  // TPGS, 3PC, PROTECT
	data[7] |= 0x02 // CMDQUE
	data[4] = standardInquiryLength - 5
	c.reply(data, allocation)
}

// standardInquiryLength is up to the last version descriptor.
const standardInquiryLength = 74

// vitalProductData builds the page of an INQUIRY with EVPD (SPC-5 7.7, SBC-3 6.6).
func (u *Unit) vitalProductData(c *Command) ([]byte, bool) {
	code := c.CDB[2]
	g := u.geometry.Load()
	var body []byte
	switch code {
	case 0x00:
		body = []byte{0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2}
	case 0x80:
		body = []byte(u.identity.Serial)
	case 0x83:
		body = u.designators(c.Nexus)
	case 0x86:
		body = make([]byte, 60)
		body[1] = 0x01 // SIMPSUP: simple task attribute only
		if g.WriteCache {
			body[2] = 0x01 // V_SUP
		}
	case 0xb0:
		body = blockLimits(g)
	case 0xb1:
		body = make([]byte, 60)
		binary.BigEndian.PutUint16(body, 0x0001) // non-rotating
	case 0xb2:
		body = provisioning(g)
	default:
		return nil, false
	}
	page := binary.BigEndian.AppendUint16([]byte{0x00, code}, uint16(len(body)))
	return append(page, body...), true
}

// designators are those of the unit (NAA, T10 vendor) and of the target port that is asked (SPC-5 7.7.6).
func (u *Unit) designators(n *Nexus) []byte {
	const (
		binarySet, asciiSet, utf8Set = 1, 2, 3
		unit, port                   = 0x00, 0x10 // association
		iscsi                        = 0x50       // protocol identifier, with PIV
	)
	var p []byte
	add := func(set, kind byte, designator []byte) {
		p = append(p, set, kind, 0, byte(len(designator)))
		p = append(p, designator...)
	}
	add(binarySet, unit|0x03, u.identity.NAA[:])
	add(asciiSet, unit|0x01, fmt.Appendf(nil, "%-8.8s%.64s.%.128s", u.identity.Vendor, u.identity.Name, u.identity.Serial))
	if n != nil {
		add(iscsi|binarySet, 0x80|port|0x04, []byte{0, 0, byte(n.RelPort >> 8), byte(n.RelPort)})
		name := fmt.Appendf(nil, "%.223s,t,0x%04x", n.Target, n.PortalTag)
		for name = append(name, 0); len(name)%4 != 0; {
			name = append(name, 0)
		}
		add(iscsi|utf8Set, 0x80|port|0x08, name)
	}
	return p
}

// blockLimits is page B0h (SBC-3 6.6.4), from its fifth byte on.
func blockLimits(g *Geometry) []byte {
	p := make([]byte, 60)
	be := binary.BigEndian
	p[0] = 0x01 // WSNZ
	be.PutUint16(p[2:], uint16(max(1, g.PhysicalBlock/g.BlockSize)))
	be.PutUint32(p[4:], uint32(MaxTransfer/g.BlockSize))
	be.PutUint32(p[8:], uint32((1<<20)/g.BlockSize))
	if g.Thin {
		be.PutUint32(p[16:], maxUnmapBlocks)
		be.PutUint32(p[20:], maxUnmapDescriptors)
		if g.UnmapGrain > 0 {
			be.PutUint32(p[24:], uint32(g.UnmapGrain))
			be.PutUint32(p[28:], 1<<31) // UGAVALID, alignment 0
		}
	}
	be.PutUint64(p[32:], maxSameBlocks)
	return p
}

// provisioning is page B2h (SBC-3 6.6.6), from its fifth byte on.
func provisioning(g *Geometry) []byte {
	p := make([]byte, 4)
	if !g.Thin {
		return p
	}
	p[1] = 0x80 | 0x40 | 0x20 // LBPU, LBPWS, LBPWS10
	if g.ZeroesOnUnmap {
		p[1] |= 0x04 // LBPRZ
	}
	p[2] = 0x02 // thin
	return p
}
