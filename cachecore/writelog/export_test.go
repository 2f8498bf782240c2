package writelog

import (
	"encoding/binary"
	"hash/crc32"
)

// Reseal gives the blocks of every frame in an image the checksums that they ought to have, so that what is wrong with them is found by other means.
func Reseal(image []byte) {
	s, err := decodeSuperblock(image, int64(len(image)))
	if err != nil {
		return
	}
	for at := int64(frontUnits); at < int64(len(image))/unit; at++ {
		if h, ok := decodeHeader(image[at*unit:], s.incarnation); ok {
			reseal(image, at, s.incarnation, h.session, h.segment, h.units())
		}
	}
}

// ResealFrame is Reseal of the first block of a frame at a unit, whatever version it says it is of.
func ResealFrame(image []byte, at int64) {
	le, b := binary.LittleEndian, image[at*unit:]
	reseal(image, at, ID(b[16:32]), le.Uint32(b[12:]), le.Uint64(b[32:]), 1)
}

func reseal(image []byte, at int64, incarnation ID, session uint32, segment uint64, units int64) {
	sealer := newSealer(incarnation, session, segment)
	for n := range min(max(units, 1), int64(len(image))/unit-at) {
		sealer.seal(image[(at+n)*unit:][:unit], at+n)
	}
}

// ResealSuperblock is that of a superblock.
func ResealSuperblock(b []byte) {
	binary.LittleEndian.PutUint32(b[superSize-4:], crc32.Checksum(b[:superSize-4], castagnoli))
}
