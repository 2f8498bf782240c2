package scsi

import (
	"context"
	"encoding/binary"
	"slices"
)

// reportLUNs is REPORT LUNS as the unit alone can answer it. A transport that maps several units to a target answers it with
// ReportLUNs before it comes here.
func (u *Unit) reportLUNs(_ context.Context, c *Command) { ReportLUNs(c, []uint64{0}) }

// ReportLUNs executes REPORT LUNS (SPC-5 6.33) for a target whose units are the given ones.
func ReportLUNs(c *Command, luns []uint64) {
	c.Status, c.Want = StatusGood, 0
	allocation := binary.BigEndian.Uint32(c.CDB[6:])
	switch selectReport := c.CDB[2]; {
	case selectReport == 0x01: // well known units: there are none
		luns = nil
	case selectReport != 0x00 && selectReport != 0x02:
		c.invalidField(2)
		return
	}
	luns = slices.Sorted(slices.Values(luns))
	p := make([]byte, 8, 8+8*len(luns))
	binary.BigEndian.PutUint32(p, uint32(8*len(luns)))
	for _, lun := range luns {
		p = append(p, EncodeLUN(lun)...)
	}
	c.reply(p, int(allocation))
}

// EncodeLUN writes a LUN with peripheral addressing up to 255, flat space addressing above (SAM-5 4.7).
func EncodeLUN(lun uint64) []byte {
	if lun < 256 {
		return []byte{0, byte(lun), 0, 0, 0, 0, 0, 0}
	}
	return []byte{0x40 | byte(lun>>8)&0x3f, byte(lun), 0, 0, 0, 0, 0, 0}
}

// DecodeLUN reads a single level LUN in peripheral or flat space addressing.
func DecodeLUN(p []byte) (lun uint64, ok bool) {
	for _, b := range p[2:8] {
		if b != 0 {
			return 0, false
		}
	}
	switch p[0] >> 6 {
	case 0: // peripheral: bus 0 only
		return uint64(p[1]), p[0] == 0
	case 1: // flat space
		return uint64(p[0]&0x3f)<<8 | uint64(p[1]), true
	}
	return 0, false
}

// NoSuchUnit executes a command to a LUN that has no unit (SPC-5 6.6.2, SAM-5 5.12).
func NoSuchUnit(c *Command, luns []uint64) {
	c.Status, c.Want = StatusGood, 0
	switch c.CDB[0] {
	case 0x12:
		if c.CDB[1]&0x01 != 0 {
			c.invalidField(1)
			return
		}
		if c.CDB[2] != 0 {
			c.invalidField(2)
			return
		}
		p := make([]byte, 36)
		p[0] = 0x7f // no unit can be here
		p[2], p[3], p[4] = 0x06, 0x02, 31
		copy(p[8:], "                            ")
		c.reply(p, int(binary.BigEndian.Uint16(c.CDB[3:])))
	case 0xa0:
		ReportLUNs(c, luns)
	case 0x03:
		p := make([]byte, senseMax)
		putSense(p, senseUnitNotSupported)
		c.reply(p, int(c.CDB[4]))
	default:
		c.check(senseUnitNotSupported)
	}
}
