package writelog

// settle takes note of a frame that is durable.
func (l *Log) settle(h *header, items []item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &l.w
	seg := l.segment(h.segment)
	units := h.units()
	seg.wrote(w.at, units, w.session)
	w.touched = w.touched[:0]
	freed := false
	for i := range items {
		freed = l.settleItem(seg, h.number, &items[i]) || freed
	}
	w.at, w.units, w.number, w.said = w.at+units, w.units+units, h.number+1, h.tail
	w.unstated, w.entering, w.unnamed = len(items) > 0, false, false
	if freed {
		l.advance()
	}
}

// settleItem says whether segments may be free by it.
func (l *Log) settleItem(seg *segment, frame uint64, it *item) (freed bool) {
	s := it.shard
	s.apply(&it.descriptor)
	if it.isUser() {
		seg.holds(it.Shard, it.order, it.Seq)
		s.newest = seg.number
	}
	if it.Flags&flagMoved == 0 {
		s.queued--
	}
	if it.Kind == kindTrim || it.Kind == kindVoid || it.Flags&flagFirst != 0 {
		l.mu.live -= s.release()
		freed = true
	}
	l.w.note(s, frame, it.Kind)
	l.forget(s)
	return freed
}

// note keeps in mind that a frame has something of a shard.
func (w *writer) note(s *shard, frame uint64, k Kind) {
	if s.touchedBy != frame {
		s.touchedBy = frame
		s.touched = touch{shard: s.id}
		w.touched = append(w.touched, s)
	}
	s.touched.last = uint64(s.last)
	s.touched.void = s.touched.void || k == kindVoid
}

// segment is one that counts.
func (l *Log) segment(number uint64) *segment { return l.mu.ring[l.index(number)] }

// free is how many segments can be begun before one is in the way that counts as far as a durable frame says. toCome is how many it will be once the
// next frame says so. Both are the writer's to ask.
func (l *Log) free() int64   { return l.segments - int64(l.mu.head-l.w.said) - 1 }
func (l *Log) toCome() int64 { return l.segments - int64(l.mu.head-l.mu.tail) - 1 }

// advance gives up the oldest segments as far as all of their records are dead. They are used again only after a frame has said so. The mutex is held.
func (l *Log) advance() {
	for l.mu.tail < l.mu.head && l.dead(l.segment(l.mu.tail)) {
		l.leave()
	}
}

func (l *Log) dead(seg *segment) bool {
	for id, t := range seg.tops {
		if s := l.mu.shards[id]; s != nil && !s.dead(t.order, t.seq) {
			return false
		}
	}
	return true
}

// leave gives up the oldest segment, and forgets the shards that have nothing in a newer one. The mutex is held.
func (l *Log) leave() {
	seg := l.segment(l.mu.tail)
	l.mu.tail++
	for id := range seg.tops {
		if s := l.mu.shards[id]; s != nil {
			l.forget(s)
		}
	}
}

// forget lets go of a shard of which nothing is left. The mutex is held.
func (l *Log) forget(s *shard) {
	if s.newest < l.mu.tail && s.queued == 0 && s.damaged == 0 {
		delete(l.mu.shards, s.id)
	}
}

// beginSegment takes the next segment of the ring into use. Readers of what was there are waited for; from now on they are refused.
func (l *Log) beginSegment() {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &l.w
	number := l.mu.head + 1
	place := &l.mu.ring[l.index(number)]
	for old := *place; old != nil && old.readers > 0; {
		old.closed = true
		l.mu.unread.Wait()
	}
	*place = newSegment(number, w.number)
	l.mu.head, w.at = number, 0
	w.table = w.table[:0]
	for _, s := range l.mu.shards {
		s.stated = false
		if s.newest >= l.mu.tail || s.damaged != 0 {
			w.table = append(w.table, s)
		}
	}
}
