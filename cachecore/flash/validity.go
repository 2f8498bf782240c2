package flash

// validity is written into each region by a clean Close: which of its blocks are still valid, since the footer can't tell. It counts if its
// number is that of the ledger's page that says clean.
type validity struct {
	id     ID
	slot   uint32
	seq    seq
	number uint64
	bits   []byte // one for each block of data
}

const validityHead = 44 // magic 8, id 16, slot 4, seq 8, number 8; the block ends with a checksum

func (v *validity) encode(p []byte) {
	clear(p[:blockSize])
	copy(p, validityMagic)
	copy(p[8:], v.id[:])
	le.PutUint32(p[24:], v.slot)
	le.PutUint64(p[28:], v.seq)
	le.PutUint64(p[36:], v.number)
	copy(p[validityHead:], v.bits)
	le.PutUint32(p[blockSize-4:], checksum(p[:blockSize-4]))
}

// decodeValidity returns the bits of that region as of that page; false: they aren't there.
func decodeValidity(p []byte, h footerHead, number uint64, l layout) ([]byte, bool) {
	ok := string(p[:8]) == validityMagic && ID(p[8:24]) == h.id && le.Uint32(p[24:]) == h.slot && le.Uint64(p[28:]) == h.seq &&
		le.Uint64(p[36:]) == number && le.Uint32(p[blockSize-4:]) == checksum(p[:blockSize-4])
	return p[validityHead : validityHead+(l.dataBlocks()+7)/8], ok
}

// among are the blocks of a piece that the bits have.
func (e *footerPiece) among(bits []byte) blocks {
	kept, at := blocks(0), uint32(e.at)
	for i := range lineBlocks {
		if e.written>>i&1 == 0 {
			continue
		}
		if bits[at/8]>>(at%8)&1 != 0 {
			kept |= 1 << i
		}
		at++
	}
	return kept & e.valid
}
