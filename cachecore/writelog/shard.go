package writelog

import (
	"fmt"

	"forebay/cachecore"
)

// shard is one of a log that is open. The log's mutex guards it.
type shard struct {
	id     Shard
	name   string
	marks         // of what is durable
	reason string // of damage
	vague  bool   // what is missing may be of a later epoch than the marks tell
	stated bool   // the newest segment's table, or a later frame, has the shard
	newest uint64 // the newest segment that has a record of it; 0: none yet
	queued int    // records that are not durable yet

	ahead  ahead   // what the marks will be when all of the queue is durable
	chunks []chunk // of records that take room, the queue's included, oldest first
	live   int64   // bytes of them

	touchedBy uint64 // the frame that last had a record of it
	touched   touch
}

// ahead is what of the marks decides which record may come next.
type ahead struct {
	begin uint64
	trim  cachecore.Seq
	last  cachecore.Seq
	epoch cachecore.Epoch
}

// chunk is a row of records of one epoch, counted together.
type chunk struct {
	order uint64 // the highest
	last  cachecore.Seq
	epoch cachecore.Epoch
	bytes int64
}

// accept takes the next record in; first: the shard begins anew with it.
func (s *shard) accept(r *Record, order uint64, bytes, chunkBytes int64) (first bool, err error) {
	a := &s.ahead
	first = a.trim >= a.last
	switch {
	case s.damaged != 0 && !s.renewed():
		return false, fmt.Errorf("%w: %v", ErrDamaged, s.damage())
	case r.Epoch < a.epoch:
		return false, fmt.Errorf("%w: epoch %d after %d in shard %016x", ErrOrder, r.Epoch, a.epoch, uint64(s.id))
	case !first && r.Seq != a.last+1:
		return false, fmt.Errorf("%w: record %d after %d in shard %016x", ErrOrder, r.Seq, a.last, uint64(s.id))
	}
	if first {
		a.begin, a.trim = order, r.Seq-1
	}
	a.last, a.epoch = r.Seq, r.Epoch
	s.queued++
	s.count(chunk{order: order, last: r.Seq, epoch: r.Epoch, bytes: bytes}, first, chunkBytes)
	return first, nil
}

// renewed says that the queue has what makes the shard begin anew.
func (s *shard) renewed() bool { return s.ahead.begin > s.begin }

// count adds a record to the room that is taken.
func (s *shard) count(c chunk, apart bool, chunkBytes int64) {
	s.live += c.bytes
	if n := len(s.chunks); n > 0 && !apart {
		if last := &s.chunks[n-1]; last.epoch == c.epoch && last.bytes < chunkBytes {
			last.order, last.last, last.bytes = max(last.order, c.order), max(last.last, c.last), last.bytes+c.bytes
			return
		}
	}
	s.chunks = append(s.chunks, c)
}

// release forgets the chunks that are dead, and returns how much room they took.
func (s *shard) release() (bytes int64) {
	n := 0
	for n < len(s.chunks) && s.dead(s.chunks[n].order, s.chunks[n].last) {
		bytes += s.chunks[n].bytes
		n++
	}
	if n > 0 {
		s.chunks = append(s.chunks[:0], s.chunks[n:]...)
		s.live -= bytes
	}
	return bytes
}

// older is the last record of an epoch below; 0: there is none.
func (s *shard) older(below cachecore.Epoch) (seq cachecore.Seq) {
	for _, c := range s.chunks {
		if c.order < s.ahead.begin {
			continue
		}
		if c.epoch >= below {
			break
		}
		seq = c.last
	}
	return seq
}

// damage is what there is to tell of a damaged shard.
func (s *shard) damage() Damage {
	d := Damage{Shard: s.id, Name: s.name, From: s.damaged, Reason: s.reason}
	if !s.vague {
		d.Epoch = max(s.epoch, s.ahead.epoch)
	}
	return d
}
