package writelog

import (
	"cmp"
	"fmt"
	"slices"

	"forebay/cachecore"
)

// recovered is what is found of a shard.
type recovered struct {
	id   Shard
	name string
	marks
	reason string
	vague  bool // what is missing may be of a later epoch than the marks tell
	found  []found
	kept   int    // of found when the dead ones were last dropped
	seen   uint64 // the newest frame that tells which record is the shard's last
	begun  uint64 // the newest frame that begins the shard anew
	sure   uint64 // the newest frame that does, or tells the shard's state: what the marks were before doesn't matter
}

// found is a record that was read, or the like of it.
type found struct {
	descriptor
	place
	segment uint64
	unit    int64 // of the device: where its frame begins
}

// forget lets go of records that are dead by now, so that memory is bounded by what is alive. One in a segment that doesn't count any more was moved, if
// it is not dead: what is there now may be overwritten at any time.
func (s *recovered) forget(tail uint64) {
	s.found = slices.DeleteFunc(s.found, func(f found) bool { return f.segment < tail || s.dead(f.order, f.Seq) })
	s.kept = len(s.found)
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
