package writelog

import "forebay/cachecore/device"

// builder makes the blocks of one frame after the other. It is written as a stream of bytes, which it breaks into blocks.
type builder struct {
	buf  []byte // of the frame; whole units, page aligned
	own  []byte // memory for those that are not made where they belong
	n    int64  // bytes of the stream so far
	desc [maxDescriptor]byte
	head [headerSize]byte
	one  [touchSize]byte
}

// reset begins a frame of so many units at most, in its place if that is in memory.
func (b *builder) reset(units int64, place []byte) {
	if b.buf = place; place == nil {
		if int64(len(b.own)) < units*unit {
			b.own = device.Buffer(int(units * unit))
		}
		b.buf = b.own
	}
	b.n = headerSize
}

func (b *builder) write(p []byte) {
	for len(p) > 0 {
		in := b.n % payload
		at := b.n/payload*unit + in
		n := copy(b.buf[at:at+payload-in], p)
		p, b.n = p[n:], b.n+int64(n)
	}
}

func (b *builder) touch(t touch) {
	t.encode(&b.one)
	b.write(b.one[:])
}

func (b *builder) describe(d *descriptor) { b.write(d.encode(&b.desc)) }

// seal puts the header in front, fills the rest with zeros, and every block gets its checksum. It returns the blocks and the frame's checksum.
func (b *builder) seal(h *header, incarnation ID, at int64) (blocks []byte, sum uint32) {
	h.length = uint64(b.n)
	h.encode(&b.head, incarnation)
	copy(b.buf, b.head[:])
	units := unitsOf(b.n)
	blocks = b.buf[:units*unit]
	if in := b.n % payload; in > 0 {
		clear(blocks[(units-1)*unit+in:])
	}
	s := newSealer(incarnation, h.session, h.segment)
	for i := range units {
		sum = chain(sum, s.seal(blocks[i*unit:][:unit], at+i))
	}
	return blocks, sum
}
