package writelog

import (
	"encoding/binary"

	"forebay/cachecore"
)

const (
	descriptorSize = 88
	maxDescriptor  = descriptorSize + MaxObject
)

// descriptor is a record as a frame tells it.
type descriptor struct {
	Record
	order uint64 // of all records of the log: it stays when the record is moved
	size  uint32 // of the data, bytes
	state *marks // of a kindState, instead of most of the record
}

// descriptorLen is the length of a descriptor with an object or name of n bytes; the next begins on a multiple of eight.
func descriptorLen(n int) int { return descriptorSize + (n+7)&^7 }

func (d *descriptor) encode(b *[maxDescriptor]byte) []byte {
	le := binary.LittleEndian
	clear(b[:])
	object := d.Object
	if d.Kind == kindState {
		n := copy(b[descriptorSize:], d.Name)
		b[53] = byte(n)
		d.state.encode(b)
	} else {
		copy(b[descriptorSize:], object)
		b[53] = byte(len(object))
		le.PutUint64(b[8:], uint64(d.Epoch))
		le.PutUint64(b[16:], uint64(d.Seq))
		le.PutUint64(b[24:], d.order)
		le.PutUint64(b[32:], uint64(d.Off))
		le.PutUint64(b[40:], uint64(d.Len))
		le.PutUint16(b[54:], uint16(d.Flags))
	}
	le.PutUint64(b[0:], uint64(d.Shard))
	le.PutUint32(b[48:], d.size)
	b[52] = byte(d.Kind)
	le.PutUint32(b[56:], d.Sum)
	return b[:descriptorLen(int(b[53]))]
}

// decodeDescriptor reads the first descriptor of b and returns what follows; false: b is not long enough for it. The object is b's.
func decodeDescriptor(b []byte) (d descriptor, rest []byte, ok bool) {
	if len(b) < descriptorSize || len(b) < descriptorLen(int(b[53])) || b[53] > MaxObject {
		return d, nil, false
	}
	le := binary.LittleEndian
	d.Shard = Shard(le.Uint64(b))
	d.size = le.Uint32(b[48:])
	d.Kind = Kind(b[52])
	d.Sum = le.Uint32(b[56:])
	object := b[descriptorSize:][:b[53]:b[53]]
	if d.Kind == kindState {
		d.Name = string(object)
		d.state = &marks{}
		d.state.decode(b)
	} else {
		d.Epoch = cachecore.Epoch(le.Uint64(b[8:]))
		d.Seq = cachecore.Seq(le.Uint64(b[16:]))
		d.order = le.Uint64(b[24:])
		d.Off, d.Len = int64(le.Uint64(b[32:])), int64(le.Uint64(b[40:]))
		d.Flags = Flags(le.Uint16(b[54:]))
		d.Object = object
	}
	return d, b[descriptorLen(int(b[53])):], true
}

// isUser says whether a client's change is told, and not something of the log's own.
func (d *descriptor) isUser() bool { return d.Kind < kindTrim }

// plausible says whether a descriptor, whose frame's checksums are right, keeps the rules.
func (d *descriptor) plausible() bool {
	if d.order >= tooHigh {
		return false
	}
	if !d.isUser() {
		return d.size == 0 && d.Kind <= kindState
	}
	size := d.Len
	if d.Kind != Write || d.Flags&flagLost != 0 {
		size = 0
	}
	return d.Kind >= Write && d.Kind <= Barrier && d.Seq > 0 && d.Off >= 0 && d.Len >= 0 && int64(d.size) == size
}
