package writelog

// resumeMoves finds out how far an earlier session has got with emptying the oldest segments: up to the first record of which there is no newer copy. Moving
// the others again would make copies that nobody asks for, and that take room, which is not counted, until their records are dead.
func (l *Log) resumeMoves(r *recovery) {
	first := map[uint64]int64{} // of segments: the unit of the first frame with such a record
	for _, s := range r.shards {
		for _, f := range s.found {
			if at, ok := first[f.segment]; !ok || f.unit < at {
				first[f.segment] = f.unit
			}
		}
	}
	for ; l.mu.tail < l.mu.head; l.leave() {
		if at, ok := first[l.mu.tail]; ok {
			l.w.mover.segment, l.w.mover.at = l.mu.tail, at-l.start(l.mu.tail)
			return
		}
	}
}

// resumeTouched has the next frame name the shards of the newest, as if this session had written that too.
func (l *Log) resumeTouched(newest *frame, next uint64) {
	if newest == nil || !newest.told || newest.number+1 != next {
		l.w.unnamed = true
		return
	}
	for i := range newest.records {
		d := &newest.records[i]
		if s := l.mu.shards[d.Shard]; s != nil && d.Kind != kindState {
			l.w.note(s, newest.number, d.Kind)
		}
	}
}
