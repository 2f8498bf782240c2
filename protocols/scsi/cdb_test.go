package scsi_test

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// raw is a CDB or a list written in hexadecimal.
func raw(s string) []byte {
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return p
}

var testUnitReady = raw("00 00 00 00 00 00")

// access is a CDB that addresses blocks, in the form of its opcode's group.
func access(opcode, flags byte, lba uint64, blocks uint32) []byte {
	be := binary.BigEndian
	var p [16]byte
	p[0], p[1] = opcode, flags
	switch opcode >> 5 {
	case 0:
		be.PutUint32(p[0:], uint32(lba)&0x1fffff)
		p[0], p[4] = opcode, byte(blocks)
		return p[:6]
	case 4:
		be.PutUint64(p[2:], lba)
		be.PutUint32(p[10:], blocks)
		return p[:]
	case 5:
		be.PutUint32(p[2:], uint32(lba))
		be.PutUint32(p[6:], blocks)
		return p[:12]
	}
	be.PutUint32(p[2:], uint32(lba))
	be.PutUint16(p[7:], uint16(blocks))
	return p[:10]
}
