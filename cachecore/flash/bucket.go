package flash

// The buckets of a shard: how pieces are found by object and line. sh.mu is held throughout.

func (sh *shard) hash(object, line uint32) uint32 {
	return uint32(mix(uint64(object)<<32|uint64(line)^sh.seed) >> 32)
}

func (sh *shard) bucket(object, line uint32) *uint32 {
	return &sh.buckets[within(sh.hash(object, line), len(sh.buckets))]
}

// link puts a piece into its bucket.
func (sh *shard) link(p piece, id uint32) {
	b := sh.bucket(p.object(), p.line())
	p[atNext], *b = *b, id
	p[atState] |= linked
}

// unlink takes it out. What it holds is found no more.
func (sh *shard) unlink(p piece, id uint32) {
	at := sh.bucket(p.object(), p.line())
	for *at != id {
		at = &sh.arena.from(*at)[atNext]
	}
	*at = p[atNext]
	sh.clear(p, p.valid())
	p[atState] &^= linked
}

func (sh *shard) clear(p piece, b blocks) {
	sh.valid -= int64(popcount(p.valid() & b))
	p.unmark(b)
}

// each calls f for the pieces of a line, which may unlink the one it is given.
func (sh *shard) each(object, line uint32, f func(p piece, id uint32)) {
	for id := *sh.bucket(object, line); id != 0; {
		p := sh.piece(id)
		next := p[atNext]
		if p.object() == object && p.line() == line {
			f(p, id)
		}
		id = next
	}
}

// holds are the blocks of a line that are valid.
func (sh *shard) holds(object, line uint32) blocks {
	held := blocks(0)
	for id := *sh.bucket(object, line); id != 0; {
		p := sh.piece(id)
		if p.object() == object && p.line() == line {
			held |= p.valid()
		}
		id = p[atNext]
	}
	return held
}

// remove makes blocks of a line invalid, other than in the piece except.
func (sh *shard) remove(object, line uint32, b blocks, except uint32) {
	sh.each(object, line, func(p piece, id uint32) {
		if id == except {
			return
		}
		if sh.clear(p, b); p.valid() == 0 {
			sh.unlink(p, id)
		}
	})
}

// publish makes blocks of a piece what is found of its line.
func (sh *shard) publish(p piece, id uint32, b blocks) {
	if b == 0 || p.is(dead) {
		return
	}
	sh.remove(p.object(), p.line(), b, id)
	p.mark(b)
	sh.valid += int64(popcount(b))
	if !p.is(linked) {
		sh.link(p, id)
	}
}

// rehash makes more buckets.
func (sh *shard) rehash(n int) {
	old := sh.buckets
	sh.buckets = make([]uint32, n)
	for _, first := range old {
		for id := first; id != 0; {
			p := sh.piece(id)
			next := p[atNext]
			sh.link(p, id)
			id = next
		}
	}
}
