package writelog

import "encoding/binary"

// frame is one that was read: its header is right, the rest may not be.
type frame struct {
	header
	at      int64 // unit
	sum     uint32
	whole   bool         // every block is right
	told    bool         // touched and records are there
	touched []touch      // told by this frame, of the one before
	records []descriptor // with objects and positions of their own
	places  []place      // of the records' data
}

// place is where a record's data lie.
type place struct {
	at    Position
	right bool // the blocks' checksums are
}

// touch is a shard of which the frame before has records.
type touch struct {
	shard Shard
	last  uint64 // the highest sequence number
	void  bool   // one of them is a void
}

func (t touch) encode(b *[touchSize]byte) {
	le := binary.LittleEndian
	le.PutUint64(b[0:], uint64(t.shard))
	le.PutUint64(b[8:], t.last)
	le.PutUint64(b[16:], 0)
	if t.void {
		b[16] = 1
	}
}

func decodeTouch(b []byte) touch {
	le := binary.LittleEndian
	return touch{shard: Shard(le.Uint64(b)), last: le.Uint64(b[8:]), void: b[16] == 1}
}

// unknowable says that the frame doesn't tell which shards the one before had.
func (f *frame) unknowable() bool { return !f.told || f.flags&frameTooMany != 0 }

// parse reads a frame of the scanner's incarnation from its blocks; scratch is for its descriptors. The blocks' checksums are verified here.
func (f *frame) parse(g geometry, blocks []byte, s sealer, scratch *[]byte) {
	n := f.units()
	right := make([]bool, n)
	f.whole, f.sum = true, 0
	for i := range n {
		block := blocks[i*unit:][:unit]
		right[i] = s.valid(block, f.at+i)
		f.whole = f.whole && right[i]
		f.sum = chain(f.sum, binary.LittleEndian.Uint32(block[payload:]))
	}
	said := unitsOf(int64(f.data))
	for i := range said {
		if !right[i] {
			return
		}
	}
	*scratch = unstream((*scratch)[:0], blocks[:said*unit])
	f.told = f.describe(g, (*scratch)[:f.data], right)
	f.whole = f.whole && f.told
}

// describe reads what stands between the header and the data.
func (f *frame) describe(g geometry, b []byte, right []bool) bool {
	b = b[headerSize:]
	for range f.header.touched {
		f.touched = append(f.touched, decodeTouch(b))
		b = b[touchSize:]
	}
	data := f.data
	f.records, f.places = make([]descriptor, 0, f.header.records), make([]place, 0, f.header.records)
	for range f.header.records {
		d, rest, ok := decodeDescriptor(b)
		if !ok || !d.plausible() || uint64(d.size) > f.length-data {
			return false
		}
		d.Object = append([]byte(nil), d.Object...)
		p := place{right: true}
		if d.size > 0 {
			p.at = position(g.lap(f.segment), f.at+int64(data/payload), int64(data%payload))
			for i := data / payload; i <= (data+uint64(d.size)-1)/payload; i++ {
				p.right = p.right && right[i]
			}
		}
		f.records, f.places = append(f.records, d), append(f.places, p)
		data += uint64(d.size)
		b = rest
	}
	return data == f.length
}

// unstream appends the payloads of blocks.
func unstream(to, blocks []byte) []byte {
	for ; len(blocks) > 0; blocks = blocks[unit:] {
		to = append(to, blocks[:payload]...)
	}
	return to
}

// chain goes on with the checksum of a frame, which is of its blocks' checksums, by one of them.
func chain(sum, block uint32) uint32 { return crcOf(sum, uint64(block), 4) }
