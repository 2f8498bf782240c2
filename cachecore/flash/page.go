package flash

// page is one block of the ledger: what is so from when it is durable on. It is written twice, one copy behind the other, in one write: a
// power cut may tear both, but then nobody was told that it is durable; a block that rots leaves the other one.
type page struct {
	id         ID
	generation uint64 // of the half: no two beginnings have the same
	index      uint32 // within the generation
	opening    uint32 // how many pages from index 0 on restate what was so before; they count together, by the page of index 0
	number     uint64 // of pages, ever
	standing
	entries []entry
}

// standing is what every page states anew.
type standing struct {
	slots uint32 // regions that the device has
	clean bool   // closed: the validity blocks with the number of this page say what is valid
	floor seq    // regions below are gone
	void  seq    // regions below are worth nothing after an unclean end
}

// entry is a mark on its way to the device.
type entry struct {
	extent extent
	below  seq
}

const (
	pageHead    = 76
	entryBytes  = 28 // key 16, extent 4, below 8
	pageEntries = (blockSize - pageHead - 4) / entryBytes
	pageCopies  = 2
	pageSpan    = pageCopies * blockSize
	pageSum     = blockSize - 4
)

// encode fills both copies.
func (g *page) encode(p []byte) {
	clear(p[:blockSize])
	copy(p, ledgerMagic)
	copy(p[8:], g.id[:])
	le.PutUint64(p[24:], g.generation)
	le.PutUint32(p[32:], g.index)
	le.PutUint32(p[36:], g.opening)
	le.PutUint64(p[40:], g.number)
	le.PutUint64(p[48:], g.floor)
	le.PutUint64(p[56:], g.void)
	le.PutUint32(p[64:], g.slots)
	le.PutUint32(p[68:], uint32(len(g.entries)))
	if g.clean {
		p[72] = 1
	}
	for i, e := range g.entries {
		at := p[pageHead+i*entryBytes:]
		copy(at, e.extent.key[:])
		le.PutUint32(at[16:], e.extent.n)
		le.PutUint64(at[20:], e.below)
	}
	le.PutUint32(p[pageSum:], checksum(p[:pageSum]))
	copy(p[blockSize:], p[:blockSize])
}

// decodePage reads whichever copy is good.
func decodePage(p []byte) (page, bool) {
	for range pageCopies {
		if g, ok := decodeCopy(p[:blockSize]); ok {
			return g, true
		}
		p = p[blockSize:]
	}
	return page{}, false
}

func decodeCopy(p []byte) (page, bool) {
	g := page{
		generation: le.Uint64(p[24:]), index: le.Uint32(p[32:]), opening: le.Uint32(p[36:]), number: le.Uint64(p[40:]),
		standing: standing{floor: le.Uint64(p[48:]), void: le.Uint64(p[56:]), slots: le.Uint32(p[64:]), clean: p[72] != 0},
	}
	copy(g.id[:], p[8:])
	n := le.Uint32(p[68:])
	if string(p[:8]) != ledgerMagic || le.Uint32(p[pageSum:]) != checksum(p[:pageSum]) || n > pageEntries {
		return page{}, false
	}
	g.entries = make([]entry, n)
	for i := range g.entries {
		at := p[pageHead+i*entryBytes:]
		e := &g.entries[i]
		copy(e.extent.key[:], at)
		e.extent.n, e.below = le.Uint32(at[16:]), le.Uint64(at[20:])
	}
	return g, true
}
