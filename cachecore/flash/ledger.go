package flash

import (
	"context"
	"sync"
)

// ledger makes marks and the floor durable, many at a time: while a page is being written, what arrives gathers for the next. Whatever is
// put into it gets a ticket; tickets become durable in order. mu is a leaf and not held over I/O.
type ledger struct {
	s    *Store
	book *book // of run, of which there is one at a time

	mu       sync.Mutex
	standing standing
	pending  []queued
	last     uint64        // ticket given out
	durable  uint64        // ticket
	news     chan struct{} // closed and made anew when durable grows
	running  bool
}

type queued struct {
	entry
	ticket uint64
}

func (l *ledger) init(s *Store, b *book, st standing) {
	l.s, l.book, l.standing = s, b, st
	l.news = make(chan struct{})
}

// put enters a mark. The caller has noted it in its shard, which is locked: a restatement that has the ticket has the mark.
func (l *ledger) put(e entry) uint64 {
	return l.enter(func(ticket uint64) { l.pending = append(l.pending, queued{e, ticket}) })
}

// raise says that the regions below are gone.
func (l *ledger) raise(floor seq) uint64 {
	return l.enter(func(uint64) { l.standing.floor = max(l.standing.floor, floor) })
}

// count says how many regions the device has.
func (l *ledger) count(slots uint32) uint64 {
	return l.enter(func(uint64) { l.standing.slots = slots })
}

func (l *ledger) enter(change func(ticket uint64)) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	change(l.last)
	if !l.running {
		l.running = true
		l.s.spawn(l.run)
	}
	return l.last
}

// wait returns nil when the ticket is durable.
func (l *ledger) wait(ctx context.Context, ticket uint64) error {
	for {
		l.mu.Lock()
		done, news := ticket <= l.durable, l.news
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-news:
		case <-l.s.health.failed:
			return ErrFailed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// has says whether the ticket is durable.
func (l *ledger) has(ticket uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ticket <= l.durable
}

// run writes pages until nothing is left to write, or the device has failed.
func (l *ledger) run() {
	for {
		var upto uint64
		var err error
		switch {
		case l.idle():
			return
		case l.book.full():
			upto, err = l.restate()
		default:
			var st standing
			var batch []entry
			st, batch, upto = l.batch()
			err = l.book.append(st, batch)
		}
		if err != nil {
			return // the guard has told all
		}
		l.answer(upto)
	}
}

func (l *ledger) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = l.durable < l.last
	return !l.running
}

// batch takes what one page holds.
func (l *ledger) batch() (standing, []entry, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.pending), pageEntries)
	batch, upto := make([]entry, n), l.last
	for i, q := range l.pending[:n] {
		batch[i] = q.entry
	}
	if n < len(l.pending) {
		upto = l.pending[n-1].ticket
	}
	l.pending = append(l.pending[:0], l.pending[n:]...)
	return l.standing, batch, upto
}

// restate writes all marks that matter. If they are too many, one takes their place: everything there is now.
func (l *ledger) restate() (uint64, error) {
	l.mu.Lock()
	st, upto, durable := l.standing, l.last, l.durable
	l.pending = l.pending[:0]
	l.mu.Unlock()
	entries := l.s.liveMarks(st, durable)
	if len(entries) > l.book.marks() {
		st.void, entries = l.s.sealed.Load()+1, nil
	}
	if err := l.book.restate(st, entries); err != nil {
		return 0, err
	}
	l.mu.Lock()
	l.standing.void = st.void
	l.mu.Unlock()
	l.s.void.Store(st.void)
	return upto, nil
}

func (l *ledger) answer(upto uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable = upto
	close(l.news)
	l.news = make(chan struct{})
}

// liveMarks are the marks that a restatement needs. The others are about regions that are gone, or void anyway, and are forgotten, unless
// someone may be waiting for them: who comes to such an extent has to wait too.
func (s *Store) liveMarks(st standing, durable uint64) []entry {
	var list []entry
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for x, m := range sh.marks {
			switch {
			case m.below > max(st.floor, st.void):
				list = append(list, entry{x, m.below})
			case m.ticket <= durable:
				delete(sh.marks, x)
			}
		}
		sh.mu.Unlock()
	}
	return list
}
