package writelog

import "time"

// idleAfter is how long the stream may be idle before a frame says that the last one was durable: PROTOCOL F1 allows 10 ms, the write included.
const idleAfter = 5 * time.Millisecond

// writer is of whoever has the turn to write: the writing goroutine, or a Kick. He alone changes marks, segments, tail and head, which he does under the
// mutex; so he may look at them without. The table of shards is not among them.
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
	unnamed  bool     // of which not all is known: it can't be read
	working  []item   // the queue's other half
	idle     *time.Timer
	mover    mover
}

// run writes what comes into the queue until the log is closed.
func (l *Log) run() {
	defer close(l.ended)
	l.w.idle = time.NewTimer(time.Hour)
	defer l.w.idle.Stop()
	for more := true; more; more = l.await() {
		l.turn.Lock()
		for l.batch() {
		}
		l.turn.Unlock()
	}
}

// batch writes what has come in; false: nothing has. The turn is the caller's.
func (l *Log) batch() bool {
	l.mu.Lock()
	if len(l.mu.queue) == 0 {
		l.mu.Unlock()
		return false
	}
	l.w.working, l.mu.queue = l.mu.queue, l.w.working[:0]
	l.mu.Unlock()
	before := l.w.units
	l.commit(l.w.working, false)
	clear(l.w.working)
	l.keepPace(l.w.units - before)
	return true
}

// await returns when something has come in, or when the stream has been idle, and that is stated now; false when the log is closed and all is written.
func (l *Log) await() bool {
	l.mu.Lock()
	if len(l.mu.queue) > 0 {
		l.mu.Unlock()
		return true
	}
	closing := l.mu.closing
	l.mu.sleeping = true
	l.mu.Unlock()
	switch {
	case closing:
		l.state()
		return false
	case !l.tells():
		<-l.wake
	case !l.wakesWithin(idleAfter):
		l.state()
	}
	return true
}

// tells says whether the stream may have to be told to be idle.
func (l *Log) tells() bool {
	l.turn.Lock()
	defer l.turn.Unlock()
	return l.w.unstated && l.Err() == nil
}

// state writes that the last frame was durable, unless somebody has done so.
func (l *Log) state() {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.w.unstated && l.Err() == nil {
		l.commit(nil, false)
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
