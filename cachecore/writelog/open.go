package writelog

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"forebay/cachecore/device"
)

// Open recovers the log of a device: it reads and verifies every frame from the oldest segment that counts to the end. It writes nothing, so an Open
// that is cut short changes nothing, and a second one finds the same. ErrNotFormatted: there is no log. ErrDamaged, ErrVersion: there is one that
// can't be used, and Format would give it up. Damage to single shards is Damage's to tell.
func Open(dev device.Device, o Options) (*Log, error) {
	// What is read below may be in the drive's cache only, since an earlier process wrote it.
	if err := dev.Sync(); err != nil {
		return nil, fmt.Errorf("open write log: %w", err)
	}
	super, _, err := readSuperblocks(dev)
	if err != nil {
		return nil, fmt.Errorf("open write log: %w", err)
	}
	scan := newScanner(dev, super)
	latest, tail, err := scan.newest()
	if err != nil {
		return nil, fmt.Errorf("open write log: %w", err)
	}
	r := newRecovery(super.geometry, tail)
	end, err := scan.walk(tail, latest, r)
	if err != nil {
		return nil, fmt.Errorf("open write log: %w", err)
	}
	l := &Log{
		dev: dev, super: super, geometry: super.geometry, options: o,
		wake: make(chan struct{}, 1), failed: make(chan struct{}), ended: make(chan struct{}),
	}
	l.mu.unread.L = &l.mu.Mutex
	l.liveMost, l.reserve = l.limit()
	l.chunkBytes = max(l.liveMost/1024, unit)
	l.w.mover.scanner = scan
	l.resume(r, end)
	return l, nil
}

// resume takes over what was recovered.
func (l *Log) resume(r *recovery, end ending) {
	l.mu.lost = r.finish()
	l.mu.ring = make([]*segment, l.segments)
	l.mu.tail, l.mu.head, l.mu.order = r.tail, end.segment, r.order
	for n := r.tail; n <= end.segment; n++ {
		seg := r.segments[n]
		if seg == nil { // nothing of it can be read
			seg = newSegment(n, 0)
			seg.used = l.units
		}
		l.mu.ring[l.index(n)] = seg
	}
	head := l.segment(end.segment)
	l.w.session = newSession()
	for slices.ContainsFunc(head.sessions, func(s session) bool { return s.number == l.w.session }) {
		l.w.session = newSession()
	}
	l.w.at, l.w.number, l.w.sum, l.w.order = end.at-l.start(end.segment), end.number, end.sum, r.order
	l.w.said, l.w.entering = r.tail, true
	l.mu.shards = map[Shard]*shard{}
	for _, s := range r.shards {
		l.resumeShard(s, r)
	}
	l.resumeTouched(r.newest, end.number)
	l.resumeMoves(r)
	if end.torn != nil {
		l.torn = &Tail{Frame: end.torn.number}
		for _, d := range end.torn.records {
			if d.isUser() {
				l.torn.Records = append(l.torn.Records, d.caller())
			}
		}
	}
}

func (l *Log) resumeShard(r *recovered, all *recovery) {
	s := &shard{id: r.id, name: r.name, marks: r.marks, reason: r.reason, vague: r.vague}
	s.ahead = ahead{begin: s.begin, trim: s.trim, last: s.last, epoch: s.epoch}
	for i, f := range r.found {
		bytes := int64(descriptorLen(len(f.Object))) + int64(f.size)
		s.count(chunk{order: f.order, last: f.Seq, epoch: f.Epoch, bytes: bytes}, i == 0, l.chunkBytes)
	}
	l.mu.live += s.live
	for n, seg := range all.segments {
		if _, holds := seg.tops[r.id]; holds {
			s.newest = max(s.newest, n)
		}
	}
	if s.newest == 0 && s.damaged == 0 {
		return // nothing of it is left
	}
	l.mu.shards[s.id] = s
	if len(r.found) > 0 {
		l.mu.replay = append(l.mu.replay, r.replayable()...)
	}
}

// newSession is a number that no earlier Open has used, as good as surely, and never 0.
func newSession() uint32 {
	var b [4]byte
	for {
		rand.Read(b[:]) //nolint:errcheck // never fails
		if n := binary.LittleEndian.Uint32(b[:]); n != 0 {
			return n
		}
	}
}

// caller is the record as its caller gave it.
func (d *descriptor) caller() Record {
	r := d.Record
	r.Flags &= callersFlags
	return r
}

// Replay calls f with every record that was recovered and is neither trimmed nor void, in the order in which they were appended. Of a damaged
// shard only those before the damage. It can be called until the first Append, Trim or Void, and gives the same each time.
func (l *Log) Replay(f func(r Record, at Position) error) error {
	l.mu.Lock()
	started, all := l.mu.started, l.mu.replay
	l.mu.Unlock()
	if started {
		return errReplayed
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.order, b.order) })
	for i := range all {
		if err := f(all[i].caller(), all[i].at); err != nil {
			return err
		}
	}
	return nil
}
