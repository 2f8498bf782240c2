package flash

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"forebay/cachecore/device"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// Every structure on the device begins with eight bytes that say what it is, and in which format.
const (
	superMagic    = "FBflash1"
	ledgerMagic   = "FBledge1"
	footerMagic   = "FBfoote1"
	validityMagic = "FBvalid1"
)

var le = binary.LittleEndian

// superblock says that the device is a flash tier, which one, and how it is laid out. It is written by Format and by Withdraw only, twice:
// either copy will do, as both say the same.
type superblock struct {
	id     ID
	layout layout
}

const superBytes = 48 // magic 8, id 16, layout 16, nothing 4, checksum 4

func (b superblock) encode(p []byte) {
	clear(p[:blockSize])
	copy(p, superMagic)
	copy(p[8:], b.id[:])
	le.PutUint32(p[24:], b.layout.ledgerHalf)
	le.PutUint32(p[28:], b.layout.first)
	le.PutUint32(p[32:], b.layout.regionBlocks)
	le.PutUint32(p[36:], b.layout.footerBlocks)
	le.PutUint32(p[superBytes-4:], checksum(p[:superBytes-4]))
}

func decodeSuperblock(p []byte) (superblock, bool) {
	b := superblock{layout: layout{le.Uint32(p[24:]), le.Uint32(p[28:]), le.Uint32(p[32:]), le.Uint32(p[36:])}}
	copy(b.id[:], p[8:])
	ok := string(p[:8]) == superMagic && le.Uint32(p[superBytes-4:]) == checksum(p[:superBytes-4]) && b.layout.valid()
	return b, ok
}

// readSuperblock finds a good copy.
func readSuperblock(dev device.Device) (superblock, error) {
	if dev.Size() < superblocks*blockSize {
		return superblock{}, ErrNotFormatted
	}
	p := device.Buffer(superblocks * blockSize)
	if err := dev.ReadAt(p, 0); err != nil {
		return superblock{}, fmt.Errorf("read the superblocks: %w", err)
	}
	for ; len(p) > 0; p = p[blockSize:] {
		if b, ok := decodeSuperblock(p); ok {
			return b, nil
		}
	}
	return superblock{}, ErrNotFormatted
}

// erase makes a block of zeros, durably: a superblock, or the head of a footer, that is never to be believed again.
func erase(dev device.Device, block uint32) error {
	return dev.WriteDurable(zeroes, offset(block))
}

// zeroes is never written.
var zeroes = device.Buffer(blockSize)

func isZero(p []byte) bool { return bytes.Equal(p, zeroes[:len(p)]) }
