package writelog

import "fmt"

// A position has three parts: the byte within the payload of a block, the block's unit on the device, and the lap of its segment, without
// which a reader that comes late would be given what lies there now.
const (
	byteBits = 12
	unitBits = 32
	lapBits  = 64 - unitBits - byteBits
)

func position(lap uint64, at int64, inBlock int64) Position {
	return Position(lap<<(unitBits+byteBits) | uint64(at)<<byteBits | uint64(inBlock))
}

func (p Position) split() (lap uint64, at, inBlock int64) {
	return uint64(p) >> (unitBits + byteBits), int64(p >> byteBits & (1<<unitBits - 1)), int64(p & (1<<byteBits - 1))
}

func (p Position) String() string {
	lap, at, inBlock := p.split()
	return fmt.Sprintf("%d/%d+%d", lap, at, inBlock)
}
