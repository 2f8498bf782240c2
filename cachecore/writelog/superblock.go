package writelog

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"

	"forebay/cachecore/device"
)

// Version of the format, see FORMAT.md.
const Version = 1

// ID is a random number that names something for good.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

func newID() ID {
	var id ID
	rand.Read(id[:]) //nolint:errcheck // never fails
	return id
}

const (
	superMagic = "FBLGSUPR"
	superSize  = 512 // one sector, which is never torn
)

// state of a superblock.
type superState uint16

const (
	stateFormatting superState = 1 // whatever was here has been given up, and the new log isn't ready
	stateReady      superState = 2
)

// superblock says that a device holds a log, and how it is divided. It is written by Format alone.
type superblock struct {
	state       superState
	device      ID // the device's name: it stays when the log is formatted anew
	incarnation ID // changes with every format (PROTOCOL A4)
	geometry
}

func (s superblock) encode() []byte {
	b := device.Buffer(unit)
	le := binary.LittleEndian
	copy(b, superMagic)
	le.PutUint16(b[8:], Version)
	le.PutUint16(b[10:], uint16(s.state))
	copy(b[16:], s.device[:])
	copy(b[32:], s.incarnation[:])
	le.PutUint64(b[48:], uint64(s.segments))
	le.PutUint64(b[56:], uint64(s.units))
	le.PutUint64(b[64:], uint64(s.end))
	le.PutUint32(b[superSize-4:], crc32.Checksum(b[:superSize-4], castagnoli))
	return b
}

// errNoSuperblock: what was read never was one.
var errNoSuperblock = errors.New("no superblock")

func decodeSuperblock(b []byte, size int64) (superblock, error) {
	le := binary.LittleEndian
	if string(b[:8]) != superMagic {
		return superblock{}, errNoSuperblock
	}
	if crc32.Checksum(b[:superSize-4], castagnoli) != le.Uint32(b[superSize-4:]) {
		return superblock{}, fmt.Errorf("%w: a superblock's checksum is wrong", ErrDamaged)
	}
	if v := le.Uint16(b[8:]); v != Version {
		return superblock{}, fmt.Errorf("%w: it is of version %d, and this is version %d", ErrVersion, v, Version)
	}
	s := superblock{
		state: superState(le.Uint16(b[10:])), device: ID(b[16:32]), incarnation: ID(b[32:48]),
		geometry: geometry{segments: int64(le.Uint64(b[48:])), units: int64(le.Uint64(b[56:])), end: int64(le.Uint64(b[64:]))},
	}
	if s.state != stateReady && s.state != stateFormatting {
		return superblock{}, fmt.Errorf("%w: a superblock's state is %d", ErrDamaged, s.state)
	}
	if err := s.check(size); err != nil {
		return superblock{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}
