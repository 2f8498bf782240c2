package flash

import "math/bits"

// piece is a view of one entry of the index: blocks of one line that were written together, one behind the other. It ends with a CRC32C
// for each block written. All but the blocks' state is constant while the piece exists; its shard's lock guards the rest.
type piece []uint32

// The words of a piece.
const (
	atObject = iota // the object's number
	atLine          // of the object
	atBlock         // of the device: where the first block lies
	atNext          // the next piece of the same bucket
	atState
	headWords
)

// The bits of its state. Below them are eight for the blocks of the line that are valid, and eight for those that were written.
const (
	heatShift = 16 // two bits: reads since it was written
	heatMax   = 3
	linked    = 1 << 18 // it is in its bucket
	dead      = 1 << 19 // its region has left (Resize): whoever passes drops it

	writtenShift = 8
)

// blocks is a set of blocks of a line, one bit each.
type blocks = uint8

func wordsOf(written blocks) uint32 { return headWords + uint32(bits.OnesCount8(written)) }

func (p piece) object() uint32      { return p[atObject] }
func (p piece) line() uint32        { return p[atLine] }
func (p piece) valid() blocks       { return blocks(p[atState]) }
func (p piece) written() blocks     { return blocks(p[atState] >> writtenShift) }
func (p piece) heat() int           { return int(p[atState] >> heatShift & heatMax) }
func (p piece) is(flag uint32) bool { return p[atState]&flag != 0 }

// rank is the place of the i-th block of the line among those written.
func (p piece) rank(i int) int { return bits.OnesCount8(p.written() & (1<<i - 1)) }

// block is where on the device the i-th block of the line lies.
func (p piece) block(i int) uint32 { return p[atBlock] + uint32(p.rank(i)) }

// crc is the checksum of the i-th block of the line.
func (p piece) crc(i int) uint32 { return p[headWords+p.rank(i)] }

func (p piece) mark(b blocks)   { p[atState] |= uint32(b) }
func (p piece) unmark(b blocks) { p[atState] &^= uint32(b) }

func (p piece) touch() {
	if p.heat() < heatMax {
		p[atState] += 1 << heatShift
	}
}

func popcount(b blocks) int { return bits.OnesCount8(b) }
