package writelog

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/device"
)

// Options of Open.
type Options struct {
	// Moved is told, by whoever writes, that the data of a record have been copied, durably: they lie at to now, and who reads from has
	// until it returns to forget it. Afterwards from may end with ErrGone.
	Moved func(s Shard, seq cachecore.Seq, from, to Position)
	// Damaged is told, by whoever writes, of damage that is found when records are about to be moved. Damage has it too from then on.
	Damaged func(Damage)
	// Immediate: the device answers without waiting for anything, and ends with the process, as memory does. A Kick writes there itself, and nobody states
	// afterwards that it was durable (PROTOCOL F1).
	Immediate bool
}

// Log is an open write log. The device is its alone from Open to Close, and stays the caller's to close.
//
// One writes at a time: a goroutine that begins with the first Append, Trim or Void and ends with Close, or whoever makes a Kick. All may be called from
// anywhere but a done or Moved; from a done Append, AppendLater and Kick may.
type Log struct {
	dev   device.Device
	super superblock
	geometry
	options    Options
	chunkBytes int64 // of accounting
	liveMost   int64 // bytes of live records that are taken in
	reserve    int64 // segments that only moves, trims and the like may begin

	torn   *Tail
	wake   chan struct{}
	failed chan struct{}
	ended  chan struct{}
	once   sync.Once

	turn    sync.Mutex  // to write; taken before mu
	kicking atomic.Bool // a Kick has it, and looks at the queue again when it has given it back

	mu struct {
		sync.Mutex
		queue    []item
		order    uint64 // for the next record
		shards   map[Shard]*shard
		live     int64 // bytes of records, the queue's included
		ring     []*segment
		tail     uint64  // the oldest segment that counts
		head     uint64  // the newest
		replay   []found // in their order; until the first Append
		lost     []Damage
		err      error // of the device; nothing is written after it
		sleeping bool  // the writer waits for wake
		started  bool
		closing  bool
		unread   sync.Cond // a segment's readers have gone
	}
	w writer // of who has the turn
}

// ID is the device's name, which stays, and the incarnation, which changes with every Format (PROTOCOL A4).
func (l *Log) ID() (device, incarnation ID) { return l.super.device, l.super.incarnation }

// MaxData is the longest data of a record, in bytes: at least 4 KiB, and 1 MiB in a log of some GiB. Longer writes are several records.
func (l *Log) MaxData() int64 { return l.maxData() }

// Space is the room that live records take, those in the queue included, and what there is for them, in bytes. Descriptors count.
func (l *Log) Space() (used, capacity int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.live, l.liveMost
}

// Failed is closed when the device has failed: it takes nothing any more, and who depends on it must do without.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err is why the log failed, or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}

// die ends the log for good: an error of a write or flush is not tried again.
func (l *Log) die(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err == nil {
		l.mu.err = fmt.Errorf("%w: %w", ErrFailed, err)
		close(l.failed)
	}
}

// startWriter begins the writing goroutine, once.
func (l *Log) startWriter() {
	l.once.Do(func() {
		l.mu.Lock()
		l.mu.started, l.mu.replay = true, nil
		l.mu.Unlock()
		go l.run()
	})
}

// Close writes what is in the queue, says that it is durable, and ends the log. Its error is that of the log, if it has failed.
func (l *Log) Close() error {
	l.mu.Lock()
	closed := l.mu.closing
	l.mu.closing = true
	started := l.mu.started
	l.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if started {
		l.rouse()
		<-l.ended
	}
	return l.Err()
}

// rouse wakes the writer.
func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// State is what the log knows of a shard.
type State struct {
	Last    cachecore.Seq   // the newest record, durable or not
	Epoch   cachecore.Epoch // of it
	Trimmed cachecore.Seq   // durably
	Void    cachecore.Epoch // the highest below which records were declared void, durably
	Damaged bool
}

// State tells what is known of a shard; false: the log has no records of it, live or dead.
func (l *Log) State(id Shard) (State, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.mu.shards[id]
	if s == nil {
		return State{}, false
	}
	return State{Last: s.ahead.last, Epoch: s.ahead.epoch, Trimmed: s.trim, Void: s.void, Damaged: s.damaged != 0}, true
}

// refused says why nothing can be appended. The mutex is held.
func (l *Log) refused() error {
	switch {
	case l.mu.err != nil:
		return l.mu.err
	case l.mu.closing:
		return ErrClosed
	}
	return nil
}

var errReplayed = errors.New("replay after the first append")
