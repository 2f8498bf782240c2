package writeback

import (
	"errors"
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// memLog is a Log in memory. Its faults come from outside.
type memLog struct {
	mu       sync.Mutex
	records  []stored
	first    int // of those that aren't trimmed
	capacity int64
	used     int64
	fail     error // what appends end with
	rotten   error // what reads end with
	held     []func()
	holding  bool
	outcome  error         // of what is appended
	told     chan struct{} // closed when the last record has been answered
	voided   cachecore.Epoch
	trimmed  cachecore.Seq
}

type stored struct {
	writelog.Record
	data []byte
}

func (l *memLog) Append(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []byte
	for _, p := range data {
		all = append(all, p...)
	}
	if l.fail != nil {
		return l.fail
	}
	if err := l.outcome; err != nil {
		go done(0, err)
		return nil
	}
	l.records = append(l.records, stored{r, all})
	l.used += int64(len(all)) + overhead
	at := writelog.Position(len(l.records) - 1)
	if l.holding {
		l.held = append(l.held, func() { done(at, nil) })
		return nil
	}
	before, told := l.told, make(chan struct{})
	l.told = told
	go func() { // as the log's goroutine: one after the other, and not in here
		defer close(told)
		if before != nil {
			<-before
		}
		done(at, nil)
	}()
	return nil
}

func (l *memLog) AppendLater(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	return l.Append(r, data, done)
}

func (l *memLog) Kick() {}

func (l *memLog) MaxData() int64 { return 30000 }

func (l *memLog) ReadAt(p []byte, at writelog.Position, skip int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rotten != nil {
		return l.rotten
	}
	if r := l.records[at]; r.Seq <= l.trimmed {
		return errors.New("read of what was trimmed")
	}
	copy(p, l.records[at].data[skip:])
	return nil
}

func (l *memLog) Trim(_ writelog.Shard, upto cachecore.Seq) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trimmed = upto
	for ; l.first < len(l.records) && l.records[l.first].Seq <= upto; l.first++ {
		l.used -= int64(len(l.records[l.first].data)) + overhead
	}
	return l.fail
}

func (l *memLog) Void(_ writelog.Shard, below cachecore.Epoch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.voided = below
	return nil
}

func (l *memLog) Space() (used, capacity int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used, l.capacity
}

// last is the number of the last record that there was.
func (l *memLog) last() cachecore.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		return 0
	}
	return l.records[len(l.records)-1].Seq
}

// replay gives what is left to an array of the next life.
func (l *memLog) replay(base cachecore.Epoch, to *Array) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.first; i < len(l.records); i++ {
		if r := l.records[i]; r.Epoch >= base {
			to.Recover(r.Record, writelog.Position(i))
		}
	}
}
