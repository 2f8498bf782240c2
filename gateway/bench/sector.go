package bench

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A sector says which write it came from. All numbers are little endian.
//
//	0   8  magic
//	8   8  run: a number of this run of ours
//	16  8  address: number of the sector on the LUN or in the file
//	24  4  version: the how-manieth write of this sector
//	28  4  writer: number of the slot
//	32  4  CRC32C of the sector with zeros here
//	36     filled from address, version and run
const (
	sectorSize  = 512
	sectorMagic = 0x666f726562617931
	crcOffset   = 32
	bodyOffset  = 40
)

var (
	le         = binary.LittleEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// sector is what one says of itself.
type sector struct {
	run     uint64
	address uint64
	version uint32
	writer  uint32
}

// encode writes a sector to p, 512 bytes.
func (s sector) encode(p []byte) {
	le.PutUint64(p, sectorMagic)
	le.PutUint64(p[8:], s.run)
	le.PutUint64(p[16:], s.address)
	le.PutUint32(p[24:], s.version)
	le.PutUint32(p[28:], s.writer)
	le.PutUint64(p[crcOffset:], 0)
	x := s.address*0x9e3779b97f4a7c15 ^ uint64(s.version)<<32 ^ s.run | 1
	for i := bodyOffset; i < sectorSize; i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		le.PutUint64(p[i:], x)
	}
	le.PutUint32(p[crcOffset:], checksum(p))
}

// checksum leaves the field of the checksum out.
func checksum(p []byte) uint32 {
	crc := crc32.Update(0, castagnoli, p[:crcOffset])
	return crc32.Update(crc, castagnoli, p[crcOffset+4:sectorSize])
}

// decode reads a sector that should be run's at address. problem is empty if it is one.
func decode(p []byte, run, address uint64) (s sector, problem string) {
	s = sector{run: le.Uint64(p[8:]), address: le.Uint64(p[16:]), version: le.Uint32(p[24:]), writer: le.Uint32(p[28:])}
	switch {
	case le.Uint64(p) != sectorMagic:
		return s, "no sector of ours"
	case le.Uint32(p[crcOffset:]) != checksum(p):
		return s, fmt.Sprintf("wrong checksum in version %d of sector %d", s.version, s.address)
	case s.run != run:
		return s, fmt.Sprintf("version %d of sector %d from another run", s.version, s.address)
	case s.address != address:
		return s, fmt.Sprintf("version %d of sector %d, which belongs elsewhere", s.version, s.address)
	}
	return s, ""
}
