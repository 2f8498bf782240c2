package flash

// entering is a region on its way into the index.
type entering struct {
	*loading
	contents *contents
	known    []known
}

// known is what is known of one of a footer's objects.
type known struct {
	pieces int    // that are yet to be entered
	number uint32 // 0: none yet; it counts all pieces, those to come too
	hash   uint64
}

// enter puts a region's pieces into the index. If there is no room, the oldest regions go; if there are none, it goes itself.
func (l *loading) enter(c *contents) {
	s := l.s
	s.region(c.slot).seq = c.footer.seq
	s.fill.stored = append(s.fill.stored, c.slot)
	e := entering{loading: l, contents: c, known: make([]known, len(c.footer.objects))}
	for i := range e.known {
		e.known[i].hash = s.hash(c.footer.objects[i].key)
	}
	for i := range c.footer.pieces {
		p := &c.footer.pieces[i]
		if p.valid = l.certain(c, p); p.valid != 0 {
			e.known[p.object].pieces++
		}
	}
	for i := range c.footer.pieces {
		for c.footer.pieces[i].valid != 0 && !e.piece(&c.footer.pieces[i]) {
			if gone := l.makeRoom(); gone == c.slot {
				e.leave()
				return
			}
		}
	}
}

// makeRoom takes the oldest region out.
func (l *loading) makeRoom() uint32 {
	s := l.s
	gone := s.fill.stored[0]
	s.fill.stored = s.fill.stored[1:]
	l.account.floor = s.region(gone).seq + 1
	for i := range s.shards {
		s.forget(&s.shards[i], gone)
	}
	return gone
}

// certain are the blocks of a piece that are known to be what the array has.
func (l *loading) certain(c *contents, p *footerPiece) blocks {
	switch {
	case l.account.clean:
		return p.among(c.bits)
	case c.footer.seq < l.account.voids(extent{c.footer.objects[p.object].key, extentOf(p.line)}):
		return 0
	default:
		return p.valid
	}
}

// piece enters one; false: there is no room for it, or for its object.
func (e *entering) piece(from *footerPiece) bool {
	s, ob := e.s, &e.known[from.object]
	if ob.number == 0 {
		if ob.number = s.objects.load(e.contents.footer.objects[from.object], ob.pieces); ob.number == 0 {
			return false
		}
	}
	sh := s.shardOf(ob.hash, extentOf(from.line))
	id, ok := sh.append(ob.number, from.line, s.layout.block(e.contents.slot, uint32(from.at)), from.written)
	if !ok {
		return false
	}
	ob.pieces--
	p := sh.piece(id)
	copy(p[headWords:], from.sums[:])
	e.replaces(sh, p, from.valid)
	sh.publish(p, id, from.valid)
	return true
}

// replaces is Store.replaces where the gateway was killed before that mark was durable.
func (e *entering) replaces(sh *shard, p piece, b blocks) {
	sh.each(p.object(), p.line(), func(old piece, _ uint32) {
		if below := e.s.regionOf(old[atBlock]).seq + 1; old.valid()&b != 0 && below <= e.contents.footer.seq {
			ob, _ := e.s.objects.get(p.object())
			x := extent{ob.key, extentOf(p.line())}
			e.account.marks[x] = max(e.account.marks[x], below)
		}
	})
}

// leave gives back what was counted and isn't entered.
func (e *entering) leave() {
	for _, ob := range e.known {
		if ob.number != 0 {
			e.s.objects.release(ob.number, ob.pieces)
		}
	}
}
