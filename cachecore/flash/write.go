package flash

// writePiece is how much of a region is written at a time, so that reads of the device find their way in between.
const writePiece = 1 << 20

// write writes the sealed regions, in order, until none is ready.
func (s *Store) write() {
	for {
		b := s.fill.ready()
		if b == nil {
			return
		}
		if err := s.writeRegion(b); err != nil {
			return // the guard has told all; nothing is written any more
		}
		b.region.settle() // before it is stored: from then on it may be reclaimed, and the region have another buffer
		s.fill.store(b)
	}
}

func (f *fill) ready() *builder {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sealed) == 0 || f.sealed[0].writers > 0 {
		f.writing = false
		return nil
	}
	return f.sealed[0]
}

func (f *fill) store(b *builder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = f.sealed[1:]
	f.stored = append(f.stored, b.slot)
	f.news()
	f.evict()
}

// writeRegion makes the data durable, and then what says that it is there.
func (s *Store) writeRegion(b *builder) error {
	at, end := offset(s.layout.block(b.slot, 0)), int(b.used)*blockSize
	for from := 0; from < end; from += writePiece {
		to := min(end, from+writePiece)
		if err := s.dev.WriteAt(b.buf.mem[from:to], at+int64(from)); err != nil {
			return err
		}
	}
	if err := s.dev.Sync(); err != nil {
		return err
	}
	// From here on an invalidation of what is in the region needs a mark: the footer may say that it is valid.
	s.sealed.Store(b.seq)
	footer := b.buf.mem[int(s.layout.footerAt())*blockSize:]
	n := s.compose(b).encode(footer)
	n = (n + blockSize - 1) &^ (blockSize - 1)
	s.count.written.Add(uint64(end + n))
	return s.dev.WriteDurable(footer[:n], offset(s.layout.block(b.slot, s.layout.footerAt())))
}

// compose gathers what is valid of a region.
func (s *Store) compose(b *builder) *footer {
	f := &footer{id: s.id, slot: b.slot, seq: b.seq}
	numbers := make(map[uint32]uint32) // of the footer, by object
	for _, at := range b.pieces {
		e, object, ok := at.sh.entry(at.id)
		if !ok {
			continue
		}
		ob, ok := s.objects.get(object)
		if !ok {
			continue
		}
		n, known := numbers[object]
		if !known {
			n = uint32(len(f.objects))
			numbers[object] = n
			f.objects = append(f.objects, footerObject{ob.key, ob.epoch})
		}
		e.object, e.at = n, uint16(e.block-s.layout.block(b.slot, 0))
		f.pieces = append(f.pieces, e.footerPiece)
	}
	return f
}

// copied is a piece as it was at one moment.
type copied struct {
	footerPiece
	block uint32 // of the device
}

// entry copies a piece; false: nothing of it is valid.
func (sh *shard) entry(id uint32) (c copied, object uint32, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := sh.piece(id)
	c.line, c.block, c.written, c.valid = p.line(), p[atBlock], p.written(), p.valid()
	copy(c.sums[:], p[headWords:])
	return c, p.object(), c.valid != 0
}
