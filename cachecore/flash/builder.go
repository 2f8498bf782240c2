package flash

// builder is a region that is being filled or written. fill.mu guards it until it is sealed and has no writers; then it is the flush's.
type builder struct {
	region  *region
	slot    uint32
	seq     seq
	buf     *buffer
	used    uint32 // blocks
	room    int    // bytes that the footer has left
	pieces  []placed
	objects map[uint32]struct{}
	writers int // batches that are neither published nor abandoned
}

// placed says where the index has a piece.
type placed struct {
	sh *shard
	id uint32
}

func (b *builder) take(object, n uint32, p placed) {
	b.used += n
	b.room -= b.needs(object, n)
	b.objects[object] = struct{}{}
	b.pieces = append(b.pieces, p)
	b.writers++
}

// needs is how many bytes of the footer a piece takes.
func (b *builder) needs(object, n uint32) int {
	bytes := footerPieceBytes + 4*int(n)
	if _, known := b.objects[object]; !known {
		bytes += footerObjectBytes
	}
	return bytes
}
