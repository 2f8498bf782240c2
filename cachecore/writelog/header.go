package writelog

import "encoding/binary"

const (
	frameMagic   = "FBLGFRAM"
	headerSize   = 128
	touchSize    = 24
	maxTouched   = 64 // shards of the frame before that a frame names
	frameFirst   = uint16(1) << 0
	frameTooMany = uint16(1) << 1
)

// header begins a frame. See FORMAT.md for the bytes.
type header struct {
	flags    uint16
	segment  uint64 // counted on and on; its place is this modulo the ring
	number   uint64 // of the frame, by ones
	session  uint32 // a random number of every Open
	previous uint32 // checksum of the frame before
	durable  uint64 // every frame up to this one was durable when this one was written (PROTOCOL F1)
	tail     uint64 // the oldest segment that still counted
	order    uint64 // that the next new record gets
	records  uint32
	touched  uint32
	length   uint64 // of the frame in bytes, this header included, the blocks' checksums not
	data     uint64 // where the data begin, in the same bytes
	written  int64  // the clock, for people: nanoseconds since 1970
}

func (h *header) encode(b *[headerSize]byte, incarnation ID) {
	le := binary.LittleEndian
	clear(b[:])
	copy(b[:], frameMagic)
	le.PutUint16(b[8:], Version)
	le.PutUint16(b[10:], h.flags)
	le.PutUint32(b[12:], h.session)
	copy(b[16:], incarnation[:])
	le.PutUint64(b[32:], h.segment)
	le.PutUint64(b[40:], h.number)
	le.PutUint64(b[48:], h.durable)
	le.PutUint64(b[56:], h.tail)
	le.PutUint64(b[64:], h.order)
	le.PutUint64(b[72:], h.length)
	le.PutUint64(b[80:], h.data)
	le.PutUint32(b[88:], h.records)
	le.PutUint32(b[92:], h.touched)
	le.PutUint32(b[96:], h.previous)
	le.PutUint64(b[100:], uint64(h.written))
}

// decodeHeader reads the header at the start of a block; false: there is none of this incarnation. The block's checksum is the caller's matter.
func decodeHeader(b []byte, incarnation ID) (header, bool) {
	le := binary.LittleEndian
	if string(b[:8]) != frameMagic || le.Uint16(b[8:]) != Version || ID(b[16:32]) != incarnation {
		return header{}, false
	}
	return header{
		flags: le.Uint16(b[10:]), session: le.Uint32(b[12:]), segment: le.Uint64(b[32:]), number: le.Uint64(b[40:]),
		durable: le.Uint64(b[48:]), tail: le.Uint64(b[56:]), order: le.Uint64(b[64:]), length: le.Uint64(b[72:]), data: le.Uint64(b[80:]),
		records: le.Uint32(b[88:]), touched: le.Uint32(b[92:]), previous: le.Uint32(b[96:]), written: int64(le.Uint64(b[100:])),
	}, true
}

// plausible says whether a header, whose checksum is right, keeps the rules for a frame with that many units before its segment's end.
func (h *header) plausible(room, maxFrame int64) bool {
	most := uint64(min(room, maxFrame)) * payload
	return h.length >= headerSize && h.length <= most && h.data >= headerSize && h.data <= h.length &&
		uint64(h.touched)*touchSize+uint64(h.records)*descriptorSize <= h.data-headerSize &&
		h.tail <= h.segment && h.durable < h.number &&
		h.segment < tooHigh && h.number < tooHigh && h.order < tooHigh
}

// tooHigh is a number that nothing that is counted by ones gets to.
const tooHigh = 1 << 62

// units is the frame's length on the device.
func (h *header) units() int64 { return unitsOf(int64(h.length)) }

func unitsOf(bytes int64) int64 { return (bytes + payload - 1) / payload }
