package writelog

import "forebay/cachecore"

// recovery makes of the frames what the log holds. It is a pure state machine: a visitor that does no I/O.
type recovery struct {
	geometry
	shards   map[Shard]*recovered
	segments map[uint64]*segment
	gaps     []gapAt
	tail     uint64 // the oldest segment that counts, as of the newest frame
	order    uint64 // for the next record
	table    uint64 // the newest frame that begins a segment: it tells of all shards that had records then
	newest   *frame // visited last
}

// gapAt is a gap and what the frame behind it tells of it.
type gapAt struct {
	gap
	touched []touch
	exactly bool // touched is all of it
}

func newRecovery(g geometry, tail uint64) *recovery {
	return &recovery{geometry: g, tail: tail, shards: map[Shard]*recovered{}, segments: map[uint64]*segment{}}
}

func (r *recovery) shard(id Shard) *recovered {
	s := r.shards[id]
	if s == nil {
		s = &recovered{id: id}
		r.shards[id] = s
	}
	return s
}

// missing remembers a gap; what it means is settled at the end.
func (r *recovery) missing(g gap) { r.gaps = append(r.gaps, gapAt{gap: g}) }

func (r *recovery) visit(f *frame) {
	r.tail, r.order, r.newest = max(r.tail, f.tail), max(r.order, f.order), f
	seg := r.segments[f.segment]
	if seg == nil {
		seg = newSegment(f.segment, f.number)
		r.segments[f.segment] = seg
	}
	seg.wrote(f.at-r.start(f.segment), f.units(), f.session)
	if r.resolve(f); f.told && f.flags&frameFirst != 0 {
		r.table = f.number
	} else if !f.told {
		r.missing(gap{from: f.number, to: f.number + 1, segment: f.segment, holes: []hole{{f.segment, f.at - r.start(f.segment)}}})
	}
	for i := range f.records {
		r.record(f, &f.records[i], f.places[i], seg)
	}
}

// resolve has a frame tell what the unreadable one before it had.
func (r *recovery) resolve(f *frame) {
	if n := len(r.gaps); n > 0 && r.gaps[n-1].to == f.number && !f.unknowable() {
		g := &r.gaps[n-1]
		g.touched, g.exactly = f.touched, g.from+1 == g.to && !g.replaced
	}
}

func (r *recovery) record(f *frame, d *descriptor, p place, seg *segment) {
	s := r.shard(d.Shard)
	s.apply(d)
	if d.Flags&(flagAll|flagFirst) != 0 && d.Flags&flagMoved == 0 {
		s.begun, s.sure, s.seen = f.number, f.number, f.number
	}
	switch {
	case d.Kind == kindState:
		s.name = d.Name
		s.reason = "found earlier"
		s.vague = d.state.damaged != 0 // the marks don't tell what was known then
		s.sure, s.seen = f.number, f.number
	case d.isUser():
		seg.holds(d.Shard, d.order, d.Seq)
		if len(s.found) > 2*s.kept+1000 {
			s.forget(r.tail)
		}
		s.found = append(s.found, found{*d, p, f.segment, f.at})
		if d.Flags&flagMoved == 0 {
			s.seen = f.number
		}
	}
}

// finish settles what is missing.
func (r *recovery) finish() (lost []Damage) {
	for _, s := range r.shards {
		s.forget(r.tail)
	}
	for _, g := range r.gaps {
		for _, h := range g.holes {
			if seg := r.segments[h.segment]; seg != nil {
				seg.holes = append(seg.holes, h.at)
			}
		}
		if g.segment < r.tail {
			continue // what it held is dead
		}
		for _, t := range g.touched {
			r.concern(t, g.gap)
		}
		if !g.exactly {
			r.suspect(g.gap)
			if g.to > r.table {
				lost = append(lost, Damage{Any: true, Reason: g.String()})
			}
		}
	}
	for _, s := range r.shards {
		s.settle()
	}
	for n := range r.segments {
		if n < r.tail {
			delete(r.segments, n)
		}
	}
	return lost
}

// concern applies what is known of a shard in a frame that is lost. Which records it had shows in settle; what a lost void declared dead is alive
// again here, so that all of the shard is in doubt.
func (r *recovery) concern(t touch, g gap) {
	s := r.shard(t.shard)
	if s.sure >= g.to {
		return
	}
	s.vague = s.vague || s.seen < g.to
	s.last = max(s.last, cachecore.Seq(t.last))
	if t.void {
		s.doubt(s.trim+1, g.String())
	}
}

// suspect puts every shard in doubt that may have had records in the gap: all but those that tell behind it what their last record is, and those
// that had none when a table was written behind it. What another frame than was written says is in doubt itself, and with it whatever has not begun
// anew since.
func (r *recovery) suspect(g gap) {
	for _, s := range r.shards {
		switch {
		case g.replaced && s.begun < g.to:
			s.vague = s.vague || s.seen < g.to
			s.doubt(s.trim+1, g.String())
		case s.seen < g.to && g.to > r.table:
			s.vague = true
			s.doubt(s.last+1, g.String())
		}
	}
}
