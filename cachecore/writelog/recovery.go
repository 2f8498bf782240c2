package writelog

import (
	"cmp"
	"fmt"
	"slices"

	"forebay/cachecore"
)

// recovery makes of the frames what the log holds. It is a pure state machine: a visitor that does no I/O.
type recovery struct {
	geometry
	shards   map[Shard]*recovered
	segments map[uint64]*segment
	gaps     []gapAt
	tail     uint64 // the oldest segment that counts, as of the newest frame
	order    uint64 // for the next record
}

// recovered is what is found of a shard.
type recovered struct {
	id   Shard
	name string
	marks
	reason string
	found  []found
	kept   int    // of found when the dead ones were last dropped
	seen   uint64 // the newest frame that tells which record is the shard's last
	sure   uint64 // the newest frame behind which nothing older matters: it tells the shard's state, or begins it anew
}

// found is a record that was read, or the like of it.
type found struct {
	descriptor
	place
}

// foundEarlier is the reason of damage that an earlier Open found, and a table tells.
const foundEarlier = "found earlier"

// gapAt is a gap and what the frame behind it tells of it.
type gapAt struct {
	gap
	touched []touch
	exactly bool // touched is all of it
}

func newRecovery(g geometry) *recovery {
	return &recovery{geometry: g, shards: map[Shard]*recovered{}, segments: map[uint64]*segment{}}
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
func (r *recovery) missing(g gap, next *frame) {
	r.gaps = append(r.gaps, gapAt{gap: g, touched: next.touched, exactly: g.from+1 == g.to && !next.unknowable() && !g.replaced})
}

func (r *recovery) visit(f *frame) {
	r.tail, r.order = max(r.tail, f.tail), max(r.order, f.order)
	seg := r.segments[f.segment]
	if seg == nil {
		seg = newSegment(f.segment, f.number)
		r.segments[f.segment] = seg
	}
	seg.wrote(f.at-r.start(f.segment), f.units(), f.session)
	if r.resolve(f); !f.told {
		at := f.at - r.start(f.segment)
		r.gaps = append(r.gaps, gapAt{gap: gap{from: f.number, to: f.number + 1, segment: f.segment, holes: []hole{{f.segment, at}}}})
	}
	for i := range f.records {
		r.record(f, &f.records[i], f.places[i], seg)
	}
}

// resolve has a frame tell what the unreadable one before it had.
func (r *recovery) resolve(f *frame) {
	if n := len(r.gaps); n > 0 && r.gaps[n-1].to == f.number && !f.unknowable() {
		g := &r.gaps[n-1]
		g.touched, g.exactly = f.touched, g.from+1 == g.to
	}
}

func (r *recovery) record(f *frame, d *descriptor, p place, seg *segment) {
	s := r.shard(d.Shard)
	s.apply(d)
	if d.Kind == kindState || d.Flags&(flagAll|flagFirst) != 0 && d.Flags&flagMoved == 0 {
		s.sure, s.seen = f.number, f.number
	}
	switch {
	case d.Kind == kindState:
		s.name = d.Name
		s.reason = foundEarlier
	case d.isUser():
		r.order = max(r.order, d.order+1)
		seg.holds(d.Shard, d.order, d.Seq)
		if len(s.found) > 2*s.kept+1000 {
			s.forget()
		}
		s.found = append(s.found, found{*d, p})
		if d.Flags&flagMoved == 0 {
			s.seen = f.number
		}
	}
}

// forget lets go of records that are dead by now, so that memory is bounded by what is alive.
func (s *recovered) forget() {
	s.found = slices.DeleteFunc(s.found, func(f found) bool { return s.dead(f.order, f.Seq) })
	s.kept = len(s.found)
}

// finish settles what is missing.
func (r *recovery) finish() (lost []Damage) {
	for _, s := range r.shards {
		s.forget()
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
			lost = append(lost, Damage{Any: true, Reason: fmt.Sprintf("%v can't be read", g.gap)})
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
	s.last = max(s.last, cachecore.Seq(t.last))
	if t.void {
		s.doubt(s.trim+1, fmt.Sprintf("%v can't be read", g))
	}
}

// suspect puts every shard in doubt that may have had records in the gap: all but those that tell behind it what their last record is. What another
// frame than was written says is in doubt itself, and with it whatever has not begun anew since.
func (r *recovery) suspect(g gap) {
	for _, s := range r.shards {
		switch {
		case g.replaced && s.sure < g.to:
			s.doubt(s.trim+1, fmt.Sprintf("%v can't be relied on", g))
		case s.seen < g.to:
			s.doubt(s.last+1, fmt.Sprintf("%v can't be read", g))
		}
	}
}

// settle puts the records in order, the newest copy of each, and finds the first hole.
func (s *recovered) settle() {
	slices.SortStableFunc(s.found, func(a, b found) int { return cmp.Compare(a.Seq, b.Seq) })
	kept := s.found[:0]
	for i, f := range s.found {
		if i+1 == len(s.found) || s.found[i+1].Seq != f.Seq {
			kept = append(kept, f)
		}
	}
	s.found = kept
	next := s.trim + 1
	for _, f := range s.found {
		if f.Seq != next {
			break
		}
		if !f.right || f.Flags&flagLost != 0 {
			s.doubt(next, fmt.Sprintf("the data of record %d can't be read", next))
			return
		}
		next++
	}
	if next <= s.last {
		s.doubt(next, fmt.Sprintf("record %d is missing", next))
	}
}

func (s *recovered) doubt(from cachecore.Seq, reason string) {
	if s.damaged == 0 {
		s.reason = reason
	}
	s.marks.doubt(from)
}

// replayable are the records before the first that may be missing.
func (s *recovered) replayable() []found {
	if s.damaged == 0 {
		return s.found
	}
	n, _ := slices.BinarySearchFunc(s.found, s.damaged, func(f found, seq cachecore.Seq) int { return cmp.Compare(f.Seq, seq) })
	return s.found[:n]
}
