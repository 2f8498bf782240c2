package writelog

import "time"

// idleAfter is how long the stream may be idle before a frame says that the last one was durable: PROTOCOL F1 allows 10 ms, the write included.
const idleAfter = 5 * time.Millisecond

// writer is the writing goroutine's own. That goroutine alone changes marks, segments, tail and head, which it does under the mutex; so it may
// look at them without. The table of shards is not among them.
type writer struct {
	builder
	session  uint32
	at       int64  // where the next frame goes, in units from the start of segment head; at its end: another is to be begun
	units    int64  // written since Open
	number   uint64 // of the next frame
	sum      uint32 // of the last
	order    uint64 // for the first record that has never been in a frame
	said     uint64 // the oldest segment that counts, as a durable frame says; what is before it can be used again
	unstated bool   // the last frame has records, and no later one says that it was durable
	entering bool   // nothing has been written yet
	table    []*shard
	touched  []*shard // of the last frame
	working  []item   // the queue's other half
	idle     *time.Timer
	mover    mover
}

// run writes what comes into the queue until the log is closed.
func (l *Log) run() {
	defer close(l.ended)
	l.w.idle = time.NewTimer(time.Hour)
	defer l.w.idle.Stop()
	for {
		items, more := l.await()
		if !more {
			return
		}
		before := l.w.units
		l.commit(items, false)
		clear(items)
		l.keepPace(l.w.units - before)
	}
}

// await returns what has come in: nothing if the stream has been idle and that has to be stated. more is false when the log is closed and all is
// written.
func (l *Log) await() (items []item, more bool) {
	for {
		l.mu.Lock()
		if len(l.mu.queue) > 0 {
			l.w.working, l.mu.queue = l.mu.queue, l.w.working[:0]
			l.mu.Unlock()
			return l.w.working, true
		}
		closing, failed := l.mu.closing, l.mu.err != nil
		l.mu.sleeping = true
		l.mu.Unlock()
		unstated := l.w.unstated && !failed
		switch {
		case closing:
			return nil, unstated
		case !unstated:
			<-l.wake
		case !l.wakesWithin(idleAfter):
			return nil, true
		}
	}
}

func (l *Log) wakesWithin(d time.Duration) bool {
	l.w.idle.Reset(d)
	defer l.w.idle.Stop()
	select {
	case <-l.wake:
		return true
	case <-l.w.idle.C:
		return false
	}
}

// commit writes items, in as many frames as it takes, and answers them; without items one empty frame, which states what is durable. moved: they are
// old ones, which may use the reserve.
func (l *Log) commit(items []item, moved bool) {
	for {
		n, err := l.frame(items, moved)
		if err != nil {
			l.die(err)
			l.fail(items)
			return
		}
		l.answer(items[:n])
		if items = items[n:]; len(items) == 0 {
			return
		}
	}
}

// answer tells of items that are durable.
func (l *Log) answer(items []item) {
	for i := range items {
		it := &items[i]
		switch {
		case it.done != nil:
			it.done(it.at, nil)
		case it.from != 0 && l.options.Moved != nil && it.at != 0:
			l.options.Moved(it.Shard, it.Seq, it.from, it.at)
		}
	}
}

// fail tells of items that never will be.
func (l *Log) fail(items []item) {
	err := l.Err()
	for i := range items {
		if items[i].done != nil {
			items[i].done(0, err)
		}
	}
}
