package writelog

import "forebay/cachecore"

// segment is what is known of one in the ring, between the oldest that counts and the newest.
type segment struct {
	number   uint64 // counted on and on, from 1
	frame    uint64 // number of its first
	used     int64  // units, from its start
	sessions []session
	tops     map[Shard]top
	holes    []int64 // units, from its start, where Open found a frame unreadable and has settled what that means
	readers  int     // of ReadAt
	closed   bool    // to new readers: its place is about to be used again
}

// session is a stretch of a segment that one Open has written, up to the next stretch.
type session struct {
	from   int64 // unit, from the segment's start
	number uint32
}

// top is the highest of a shard's records in a segment.
type top struct {
	order uint64
	seq   cachecore.Seq
}

func newSegment(number, frame uint64) *segment {
	return &segment{number: number, frame: frame, tops: map[Shard]top{}}
}

// wrote notes a frame.
func (s *segment) wrote(from, units int64, number uint32) {
	if n := len(s.sessions); n == 0 || s.sessions[n-1].number != number {
		s.sessions = append(s.sessions, session{from: from, number: number})
	}
	s.used = from + units
}

// sessionAt is the session that wrote a unit.
func (s *segment) sessionAt(at int64) uint32 {
	for i := len(s.sessions) - 1; i > 0; i-- {
		if at >= s.sessions[i].from {
			return s.sessions[i].number
		}
	}
	return s.sessions[0].number
}

// holds notes a record.
func (s *segment) holds(id Shard, order uint64, seq cachecore.Seq) {
	t := s.tops[id]
	s.tops[id] = top{order: max(t.order, order), seq: max(t.seq, seq)}
}
