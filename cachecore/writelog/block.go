package writelog

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealer computes the checksums of the blocks that one session writes into one segment: the CRC32C of where the block belongs, which is
// incarnation, session, segment and unit, and of its payload. Within a session a unit of a segment is written once, and no two sessions that may have written
// the same unit of a segment have the same number, so what another has written there, earlier or by mistake, never passes.
type sealer struct{ prefix uint32 }

func newSealer(incarnation ID, session uint32, segment uint64) sealer {
	prefix := uint32(0)
	for _, b := range incarnation {
		prefix = crcOf(prefix, uint64(b), 1)
	}
	return sealer{crcOf(crcOf(prefix, uint64(session), 4), segment, 8)}
}

// crcOf goes on with a CRC32C over the bytes of a number, the lowest first. crc32.Update would have them allocated.
func crcOf(sum uint32, number uint64, bytes int) uint32 {
	crc := ^sum
	for range bytes {
		crc = castagnoli[byte(crc)^byte(number)] ^ crc>>8
		number >>= 8
	}
	return ^crc
}

// sum is the checksum of a block whose place is that unit of the device.
func (s sealer) sum(block []byte, at int64) uint32 {
	return crc32.Update(crcOf(s.prefix, uint64(at), 8), castagnoli, block[:payload])
}

func (s sealer) seal(block []byte, at int64) uint32 {
	sum := s.sum(block, at)
	binary.LittleEndian.PutUint32(block[payload:], sum)
	return sum
}

func (s sealer) valid(block []byte, at int64) bool {
	return s.sum(block, at) == binary.LittleEndian.Uint32(block[payload:])
}
