package writelog

import (
	"fmt"

	"forebay/cachecore"
)

// item is a record in the queue.
type item struct {
	descriptor
	data  [][]byte
	shard *shard
	from  Position // of a moved one
	at    Position
	done  func(at Position, err error)
}

// Append logs a record. If it returns nil, done is called exactly once, by whoever writes (the log's goroutine, or a Kick) and in the order of the Appends: with
// where the data lie when the record is durable, or with why the log has failed. Until then data and r.Object must not change; they are not kept. done must not
// block, nor call anything of the log but Append, AppendLater and Kick.
//
// A shard's records have numbers without a gap and epochs that don't fall, else ErrOrder; where no record is left, because all have been
// trimmed or void, any number may be the next. ErrFull: there is no room until something is trimmed; the caller paces by Space before. ErrDamaged:
// the shard has records missing and has to be void first.
func (l *Log) Append(r Record, data [][]byte, done func(at Position, err error)) error {
	err := l.append(r, data, done)
	if err == nil {
		l.awake()
	}
	return err
}

// append is Append without waking anybody.
func (l *Log) append(r Record, data [][]byte, done func(at Position, err error)) error {
	size := int64(0)
	for _, p := range data {
		size += int64(len(p))
	}
	if err := r.validate(size, l.maxData()); err != nil {
		return err
	}
	l.startWriter()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.enqueue(r, data, size, done)
}

// enqueue takes a record in, or refuses it and leaves everything as it was.
func (l *Log) enqueue(r Record, data [][]byte, size int64, done func(Position, error)) error {
	if err := l.refused(); err != nil {
		return err
	}
	bytes := int64(descriptorLen(len(r.Object))) + size
	if l.mu.live+bytes > l.liveMost {
		return ErrFull
	}
	s, err := l.known(&r)
	if err != nil {
		return err
	}
	order := l.mu.order
	first, err := s.accept(&r, order, bytes, l.chunkBytes)
	if err != nil {
		return err
	}
	if first {
		r.Flags |= flagFirst
	}
	l.mu.live += bytes
	l.push(item{descriptor: descriptor{Record: r, size: uint32(size)}, data: data, shard: s, done: done})
	return nil
}

// known finds the record's shard, or makes one that is new to the log. One that isn't used after all does no harm.
func (l *Log) known(r *Record) (*shard, error) {
	if s := l.mu.shards[r.Shard]; s != nil {
		return s, nil
	}
	if len(l.mu.shards) >= l.maxShards() {
		return nil, fmt.Errorf("%w: %d", ErrShards, len(l.mu.shards))
	}
	s := &shard{id: r.Shard, name: r.Name[:min(len(r.Name), MaxName)]}
	l.mu.shards[r.Shard] = s
	return s, nil
}

// push gives an item its order and puts it at the queue's end.
func (l *Log) push(it item) {
	it.order = l.mu.order
	l.mu.order++
	l.mu.queue = append(l.mu.queue, it)
}

// awake has the writing goroutine look at the queue, if there is something in it.
func (l *Log) awake() {
	l.mu.Lock()
	sleeping := l.mu.sleeping && len(l.mu.queue) > 0
	l.mu.sleeping = l.mu.sleeping && !sleeping
	l.mu.Unlock()
	if sleeping {
		l.rouse()
	}
}

// Trim says that every record of the shard up to that one is on the array, after the array's flush, and returns when that is durable. Their room
// can be used again then.
func (l *Log) Trim(id Shard, upto cachecore.Seq) error {
	return l.declare(id, func(s *shard) descriptor {
		s.ahead.trim = max(s.ahead.trim, upto)
		s.ahead.last = max(s.ahead.last, upto)
		return descriptor{Record: Record{Shard: id, Kind: kindTrim, Seq: upto}}
	})
}

// Void says that the records of the shard whose epoch is below that one don't count any more, and returns when that is durable (PROTOCOL A2, A5). It
// concerns those that were appended before; later ones may have older epochs if none is left.
func (l *Log) Void(id Shard, below cachecore.Epoch) error {
	return l.declare(id, func(s *shard) descriptor {
		d := descriptor{Record: Record{Shard: id, Kind: kindVoid, Epoch: below}}
		if a := &s.ahead; a.epoch < below {
			d.Seq, d.Flags = a.last, flagAll
			*a = ahead{begin: l.mu.order, trim: a.last, last: a.last}
		} else {
			d.Seq = s.older(below)
			a.trim = max(a.trim, d.Seq)
		}
		return d
	})
}

// declare logs what make says about a shard, and waits for it. Of a shard that the log doesn't know there is nothing to say.
func (l *Log) declare(id Shard, make func(*shard) descriptor) error {
	l.startWriter()
	done := newResult()
	l.mu.Lock()
	if err := l.refused(); err != nil {
		l.mu.Unlock()
		return err
	}
	s := l.mu.shards[id]
	if s == nil {
		l.mu.Unlock()
		return nil
	}
	s.queued++
	l.push(item{descriptor: make(s), shard: s, done: done.set})
	l.mu.Unlock()
	l.awake()
	return done.wait()
}

// result is the outcome of one item.
type result chan error

func newResult() result                    { return make(result, 1) }
func (r result) set(_ Position, err error) { r <- err }
func (r result) wait() error               { return <-r }
