package writelog

import (
	"fmt"
	"slices"

	"forebay/cachecore"
)

// moveRatio is how many units of old segments are gone through for each unit that is written, once segments get scarce.
const moveRatio = 8

// mover copies what is alive in the oldest segment to the newest, so that the oldest can be used again (PROTOCOL B9).
type mover struct {
	*scanner
	segment uint64 // that is being emptied
	at      int64  // the next frame of it, in units from its start
	credit  int64  // units that may be gone through before they are needed
	items   []item
	pieces  [][]byte
}

// keepPace goes through a part of the oldest segment when few are free, so that it need not be done at once when none is. units is what has been written.
func (l *Log) keepPace(units int64) {
	m := &l.w.mover
	for m.credit += units * moveRatio; !l.roomy() && m.credit >= window && l.Err() == nil; m.credit -= window {
		l.move()
	}
	if l.roomy() { // and the oldest may be the newest, which must not be emptied
		m.credit = 0
	}
}

// move copies what is alive in the next frames of the oldest segment.
func (l *Log) move() {
	m := &l.w.mover
	seg := l.segment(l.mu.tail)
	if m.segment != seg.number {
		m.segment, m.at = seg.number, 0
	}
	if m.at >= seg.used {
		l.mu.Lock()
		l.leave()
		l.advance()
		l.mu.Unlock()
		return
	}
	m.items, m.pieces = m.items[:0], m.pieces[:0]
	l.gather(seg)
	if len(m.items) > 0 {
		l.commit(m.items, true)
	}
	clear(m.items)
	clear(m.pieces)
}

// gather goes through the frames that one reading of the device finds, and takes what is alive. The items refer to what was read: nothing else may be read
// until they are written.
func (l *Log) gather(seg *segment) {
	m := &l.w.mover
	start := l.start(seg.number)
	m.forget()
	for first := true; m.at < seg.used && (first || m.has(start+m.at, 1)); first = false {
		h, ok := m.head(seg.number, start+m.at)
		switch {
		case !ok && first:
			l.unreadable(seg)
			return
		case !ok, !first && !m.has(start+m.at, h.units()):
			return // it is the next reading's first
		}
		f := m.frame(h, start+m.at)
		if !f.told && !slices.Contains(seg.holes, m.at) {
			l.doubt(seg, gap{from: f.number, to: f.number + 1}.String())
		}
		for i := range f.records {
			l.take(f, i)
		}
		m.at += f.units()
	}
}

// shard is one that the log knows. The table of them is the appenders' too.
func (l *Log) shard(id Shard) *shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.shards[id]
}

// take takes one record, if it is alive.
func (l *Log) take(f *frame, i int) {
	m, d, p := &l.w.mover, f.records[i], f.places[i]
	s := l.shard(d.Shard)
	if s == nil || !d.isUser() || s.dead(d.order, d.Seq) {
		return
	}
	d.Flags |= flagMoved
	it := item{descriptor: d, shard: s, from: p.at}
	if !p.right {
		it.Flags |= flagLost
		it.size = 0
		l.doubtShard(s, d.Seq, fmt.Sprintf("the data of record %d can't be read", d.Seq))
	}
	if it.size > 0 {
		n := len(m.pieces)
		m.pieces = m.piecesOf(m.pieces, p.at, int64(it.size))
		it.data = m.pieces[n:len(m.pieces):len(m.pieces)]
	}
	m.items = append(m.items, it)
}

// piecesOf appends where the data of a record are in what was read.
func (m *mover) piecesOf(to [][]byte, p Position, n int64) [][]byte {
	_, at, in := p.split()
	for n > 0 {
		block := m.blocks(at, 1)
		piece := block[in:min(payload, in+n)]
		to = append(to, piece)
		at, in, n = at+1, 0, n-int64(len(piece))
	}
	return to
}

// unreadable passes over what can't be read of a segment: its shards have records missing, perhaps.
func (l *Log) unreadable(seg *segment) {
	m := &l.w.mover
	start := l.start(seg.number)
	if !slices.Contains(seg.holes, m.at) {
		l.doubt(seg, fmt.Sprintf("unit %d can't be read", start+m.at))
	}
	for m.at++; m.at < seg.used; m.at++ {
		if _, ok := m.head(seg.number, start+m.at); ok {
			return
		}
	}
}

// doubt says that records may be missing of every shard that has some alive in a segment.
func (l *Log) doubt(seg *segment, reason string) {
	for id, t := range seg.tops {
		if s := l.shard(id); s != nil && !s.dead(t.order, t.seq) {
			l.doubtShard(s, s.trim+1, reason)
		}
	}
}

// doubtShard marks a shard as damaged. Until the next table says so, what is missing shows by the last record that the newest table tells.
func (l *Log) doubtShard(s *shard, from cachecore.Seq, reason string) {
	if s.damaged != 0 && s.damaged <= from {
		return
	}
	l.mu.Lock()
	s.vague = s.vague && s.damaged != 0
	s.doubt(from)
	s.reason = reason
	d := s.damage()
	l.mu.Unlock()
	if l.options.Damaged != nil {
		l.options.Damaged(d)
	}
}
