package flash

import "forebay/cachecore"

// footer is the table of contents of a region, at its end: a head, the objects, then the pieces. It is written when the region's data is
// durable, and never changed.
type footer struct {
	id      ID
	slot    uint32
	seq     seq
	objects []footerObject
	pieces  []footerPiece
}

type footerObject struct {
	key   Key
	epoch cachecore.Epoch
}

// footerPiece is a piece as it was when the footer was composed. A block that is no longer valid then is not valid here.
type footerPiece struct {
	object         uint32 // among the footer's
	line           uint32
	at             uint16 // block of the region
	written, valid blocks
	sums           [lineBlocks]uint32 // of the written blocks, in their order
}

// footerHead comes first. It has a checksum of its own, so that Open can learn all regions' numbers before it reads their contents.
type footerHead struct {
	id              ID
	slot            uint32
	seq             seq
	objects, pieces uint32
	bytes           uint32 // of the whole footer
	sum             uint32 // of what comes behind the head
}

const (
	footerHeadBytes   = 64
	footerObjectBytes = 24
	footerPieceBytes  = 12 // and 4 for each block written
	maxSeq            = 1 << 62
)

func (h footerHead) encode(p []byte) {
	clear(p[:footerHeadBytes])
	copy(p, footerMagic)
	copy(p[8:], h.id[:])
	le.PutUint32(p[24:], h.slot)
	le.PutUint64(p[28:], h.seq)
	le.PutUint32(p[36:], h.objects)
	le.PutUint32(p[40:], h.pieces)
	le.PutUint32(p[44:], h.bytes)
	le.PutUint32(p[48:], h.sum)
	le.PutUint32(p[footerHeadBytes-4:], checksum(p[:footerHeadBytes-4]))
}

func decodeFooterHead(p []byte) (footerHead, bool) {
	h := footerHead{slot: le.Uint32(p[24:]), seq: le.Uint64(p[28:]), objects: le.Uint32(p[36:]), pieces: le.Uint32(p[40:]),
		bytes: le.Uint32(p[44:]), sum: le.Uint32(p[48:])}
	copy(h.id[:], p[8:])
	ok := string(p[:8]) == footerMagic && le.Uint32(p[footerHeadBytes-4:]) == checksum(p[:footerHeadBytes-4]) &&
		h.seq > 0 && h.seq < maxSeq && h.bytes >= footerHeadBytes
	return h, ok
}

// encode writes the footer into p, which has room, and returns its length.
func (f *footer) encode(p []byte) int {
	at := footerHeadBytes
	for _, ob := range f.objects {
		copy(p[at:], ob.key[:])
		le.PutUint64(p[at+16:], uint64(ob.epoch))
		at += footerObjectBytes
	}
	for i := range f.pieces {
		at += f.pieces[i].encode(p[at:])
	}
	footerHead{id: f.id, slot: f.slot, seq: f.seq, objects: uint32(len(f.objects)), pieces: uint32(len(f.pieces)),
		bytes: uint32(at), sum: checksum(p[footerHeadBytes:at])}.encode(p)
	return at
}

func (e *footerPiece) encode(p []byte) int {
	le.PutUint32(p, e.object)
	le.PutUint32(p[4:], e.line)
	le.PutUint16(p[8:], e.at)
	p[10], p[11] = e.written, e.valid
	n := popcount(e.written)
	for i, sum := range e.sums[:n] {
		le.PutUint32(p[footerPieceBytes+4*i:], sum)
	}
	return footerPieceBytes + 4*n
}

// decodeFooter reads a footer with that head from the start of p. Whatever p holds, it takes no more memory than p is long by a small factor;
// false: it is not whole, or not what a store of that layout writes.
func decodeFooter(h footerHead, p []byte, l layout) (*footer, bool) {
	if int64(h.bytes) > int64(len(p)) || checksum(p[footerHeadBytes:h.bytes]) != h.sum {
		return nil, false
	}
	p = p[footerHeadBytes:h.bytes]
	if uint64(h.objects)*footerObjectBytes+uint64(h.pieces)*footerPieceBytes > uint64(len(p)) {
		return nil, false
	}
	f := &footer{id: h.id, slot: h.slot, seq: h.seq, objects: make([]footerObject, h.objects), pieces: make([]footerPiece, h.pieces)}
	for i := range f.objects {
		copy(f.objects[i].key[:], p)
		f.objects[i].epoch = cachecore.Epoch(le.Uint64(p[16:]))
		p = p[footerObjectBytes:]
	}
	for i := range f.pieces {
		n, ok := f.pieces[i].decode(p)
		e := &f.pieces[i]
		if !ok || e.object >= h.objects || uint32(e.at)+uint32(popcount(e.written)) > l.dataBlocks() {
			return nil, false
		}
		p = p[n:]
	}
	return f, len(p) == 0
}

func (e *footerPiece) decode(p []byte) (int, bool) {
	if len(p) < footerPieceBytes {
		return 0, false
	}
	e.object, e.line, e.at = le.Uint32(p), le.Uint32(p[4:]), le.Uint16(p[8:])
	e.written, e.valid = p[10], p[11]
	n := popcount(e.written)
	if len(p) < footerPieceBytes+4*n || e.valid&^e.written != 0 || e.written == 0 {
		return 0, false
	}
	for i := range n {
		e.sums[i] = le.Uint32(p[footerPieceBytes+4*i:])
	}
	return footerPieceBytes + 4*n, true
}
