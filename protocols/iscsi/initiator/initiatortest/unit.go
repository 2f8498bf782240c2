package initiatortest

import (
	"encoding/binary"

	"forebay/protocols/iscsi"
)

var be = binary.BigEndian

// outcome is how a command ends: with data, or else a status and, if asc is not 0, the sense of an ILLEGAL REQUEST.
type outcome struct {
	data   []byte
	status byte
	asc    byte
}

const (
	invalidOperation = 0x20
	outOfRange       = 0x21
	invalidField     = 0x24

	checkCondition      = 0x02
	reservationConflict = 0x18
)

func illegal(asc byte) outcome { return outcome{status: checkCondition, asc: asc} }

// execute does a command whose data is here.
func (c *Conn) execute(h iscsi.Header, data []byte) {
	c.target.mu.Lock()
	o := c.target.execute(c.isid, h.CDB(), data)
	c.target.mu.Unlock()
	switch {
	case o.data != nil:
		c.SendData(h, o.data)
	case o.asc != 0:
		c.Status(h, o.status, []byte{0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, o.asc, 0, 0, 0, 0, 0})
	default:
		c.Status(h, o.status, nil)
	}
}

// execute does a command of a nexus. x.mu is held.
func (x *Target) execute(n nexus, cdb, data []byte) outcome {
	if x.reserved.refuses(n, cdb[0]) {
		return outcome{status: reservationConflict}
	}
	switch cdb[0] {
	case 0x00, 0x35, 0x91: // TEST UNIT READY, SYNCHRONIZE CACHE
		return outcome{}
	case 0x12: // INQUIRY
		if cdb[1]&1 == 0 {
			return illegal(invalidField)
		}
		return told(x.Vital[cdb[2]], invalidField)
	case 0x1a: // MODE SENSE(6)
		return told(x.Mode, invalidOperation)
	case 0x9e: // READ CAPACITY(16)
		p := make([]byte, 32)
		be.PutUint64(p, uint64(len(x.memory)/BlockSize-1))
		be.PutUint32(p[8:], BlockSize)
		return outcome{data: p}
	case 0xa3: // REPORT TARGET PORT GROUPS
		return told(x.PortGroups, invalidOperation)
	case 0x5e, 0x5f: // PERSISTENT RESERVE IN, OUT
		return x.reserve(n, cdb, data)
	}
	return x.transfer(cdb, data)
}

// told is what the test has given, or that there is no such thing.
func told(p []byte, asc byte) outcome {
	if p == nil {
		return illegal(asc)
	}
	return outcome{data: append([]byte{}, p...)}
}

// transfer reads or changes the medium.
func (x *Target) transfer(cdb, data []byte) outcome {
	p, inside := x.blocks(be.Uint64(cdb[2:]), be.Uint32(cdb[10:]))
	switch cdb[0] {
	case 0x42: // UNMAP: what it names reads as zeros
		for list := data[min(len(data), 8):]; len(list) >= 16; list = list[16:] {
			p, _ := x.blocks(be.Uint64(list), be.Uint32(list[8:]))
			clear(p)
		}
		return outcome{}
	case 0x88, 0x8a, 0x93:
	default:
		return illegal(invalidOperation)
	}
	if !inside {
		return illegal(outOfRange)
	}
	switch cdb[0] {
	case 0x88: // READ(16)
		return outcome{data: append([]byte{}, p...)}
	case 0x8a: // WRITE(16)
		copy(p, data)
	case 0x93: // WRITE SAME(16)
		for ; len(p) > 0; p = p[BlockSize:] {
			copy(p[:BlockSize], data)
		}
	}
	return outcome{}
}

// blocks are a part of the medium, unless it goes beyond the end.
func (x *Target) blocks(lba uint64, n uint32) (p []byte, inside bool) {
	size := uint64(len(x.memory) / BlockSize)
	if lba > size || uint64(n) > size-lba {
		return nil, false
	}
	return x.memory[lba*BlockSize:][:uint64(n)*BlockSize], true
}
