package scsi

import (
	"encoding/binary"
	"math/bits"
)

// extent is what a medium access CDB addresses, in bytes once it is checked.
type extent struct {
	lba    uint64
	blocks uint64
	off, n int64 // bytes
}

// The fields of a medium access CDB by its length (SBC-3 5): where the LBA, the length and byte 1's flags are.
func parseExtent(cdb *[16]byte) (e extent) {
	switch cdb[0] >> 5 { // group code, SPC-5 4.2.5.1
	case 0:
		e.lba = uint64(cdb[1]&0x1f)<<16 | uint64(cdb[2])<<8 | uint64(cdb[3])
		e.blocks = uint64(cdb[4])
		if e.blocks == 0 {
			e.blocks = 256
		}
	case 5:
		e.lba = uint64(binary.BigEndian.Uint32(cdb[2:]))
		e.blocks = uint64(binary.BigEndian.Uint32(cdb[6:]))
	case 4:
		e.lba = binary.BigEndian.Uint64(cdb[2:])
		e.blocks = uint64(binary.BigEndian.Uint32(cdb[10:]))
	default:
		e.lba = uint64(binary.BigEndian.Uint32(cdb[2:]))
		e.blocks = uint64(binary.BigEndian.Uint16(cdb[7:]))
	}
	return e
}

// within checks an extent against the capacity and turns it into bytes.
func (e *extent) within(g *Geometry) bool {
	if e.lba > g.Blocks || e.blocks > g.Blocks-e.lba {
		return false
	}
	shift := bits.TrailingZeros(uint(g.BlockSize))
	e.off, e.n = int64(e.lba<<shift), int64(e.blocks<<shift)
	return true
}

// extentOf parses and checks the extent of c, or ends c.
func (u *Unit) extentOf(c *Command) (extent, *Geometry, bool) {
	g := u.geometry.Load()
	e := parseExtent(&c.CDB)
	if !e.within(g) {
		c.checkInfo(senseLBAOutOfRange, e.lba)
		return e, g, false
	}
	return e, g, true
}

// lengthField is where a CDB has its transfer length, for the field pointer.
func lengthField(opcode byte) int {
	switch opcode >> 5 {
	case 0:
		return 4
	case 5:
		return 6
	case 4:
		return 10
	}
	return 7
}

// The flags in byte 1 of READ, WRITE and VERIFY CDBs of 10 bytes and more.
const (
	protectMask = 0xe0 // RDPROTECT, WRPROTECT, VRPROTECT: no protection information is kept
	fuaBit      = 0x08
	bytchkMask  = 0x06
)

// six says whether a CDB is of the 6-byte group, whose byte 1 has no flags.
func six(opcode byte) bool { return opcode>>5 == 0 }

// fua says whether a READ or WRITE asks for FUA.
func (c *Command) fua() bool { return !six(c.CDB[0]) && c.CDB[1]&fuaBit != 0 }

// unprotected refuses the use of protection information.
func unprotected(c *Command) bool {
	if !six(c.CDB[0]) && c.CDB[1]&protectMask != 0 {
		c.invalidField(1)
		return false
	}
	return true
}
