package volume

import (
	"context"
	"sync"

	"forebay/cachecore"
)

// rangeLock serialises what overlaps, in order of arrival: who comes later waits for all before it that overlap, those that wait
// themselves included. So nobody starves, and as each holder has one range only, nobody waits in a circle.
type rangeLock struct {
	places chan struct{} // bounds the line
	mu     struct {      // a leaf, but for what a context takes
		sync.Mutex
		oldest, newest *ranged
	}
}

// maxRanged is how many ranges may be held or waited for.
const maxRanged = 1024

// ranged is a range that is held, or waited for while blockers > 0. The fields are guarded by the lock's mu.
type ranged struct {
	first, last cachecore.Block
	shared      bool          // with others that are
	blockers    int           // earlier ones that overlap
	granted     chan struct{} // closed when blockers becomes 0; nil if it was 0 from the start
	told        *told         // instead, of who doesn't wait
	prev, next  *ranged
}

// told is who enters a range and doesn't wait for it. One of two things happens then, in another goroutine, and must not block.
type told struct {
	granted func()      // it is held. Whoever lets go of the last before it calls this
	gaveUp  func()      // ctx has ended before that, and it is out of the line
	stop    func() bool // the end of ctx doesn't matter any more; of a range that was not held from the start
	late    bool        // ctx has ended after it was granted, or just before, and giveUp looks at the range yet, or will
}

func newRangeLock() *rangeLock { return &rangeLock{places: make(chan struct{}, maxRanged)} }

// acquire holds n blocks from first on, until release, or fails with ctx's error.
func (l *rangeLock) acquire(ctx context.Context, first cachecore.Block, n uint64) (*ranged, error) {
	return l.hold(ctx, &ranged{first: first, last: first + cachecore.Block(n-1)})
}

// share is acquire beside others that share.
func (l *rangeLock) share(ctx context.Context, first cachecore.Block, n uint64) (*ranged, error) {
	return l.hold(ctx, &ranged{first: first, last: first + cachecore.Block(n-1), shared: true})
}

func (l *rangeLock) hold(ctx context.Context, r *ranged) (*ranged, error) {
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l.enter(r) {
		return r, nil
	}
	select {
	case <-r.granted:
		return r, nil
	case <-ctx.Done():
		l.release(r)
		return nil, ctx.Err()
	}
}

// overlapped says whether somebody holds, or waits for, some of n blocks from first on, and doesn't share them.
func (l *rangeLock) overlapped(first cachecore.Block, n uint64) bool {
	r := ranged{first: first, last: first + cachecore.Block(n-1), shared: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	for other := l.mu.oldest; other != nil; other = other.next {
		if r.overlaps(other) {
			return true
		}
	}
	return false
}

// reserve takes a place in the line without waiting for it; false: there is none.
func (l *rangeLock) reserve() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// enter puts r into the line, where it has a place, and says whether it is held, as nobody is before it.
func (l *rangeLock) enter(r *ranged) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.append(r); r.blockers > 0 {
		r.granted = make(chan struct{})
	}
	return r.blockers == 0
}

// enterFor is enter for who doesn't wait: if it is not held from the start, he is told.
func (l *rangeLock) enterFor(ctx context.Context, r *ranged, who *told) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.append(r); r.blockers > 0 {
		r.told = who
		who.stop = context.AfterFunc(ctx, func() { l.giveUp(r) })
	}
	return r.blockers == 0
}

// append puts r at the end of the line. mu is held.
func (l *rangeLock) append(r *ranged) {
	for other := l.mu.oldest; other != nil; other = other.next {
		if r.overlaps(other) {
			r.blockers++
		}
	}
	r.prev = l.mu.newest
	if r.prev != nil {
		r.prev.next = r
	} else {
		l.mu.oldest = r
	}
	l.mu.newest = r
}

// release lets go of a range that is held, or no longer waited for.
func (l *rangeLock) release(r *ranged) {
	l.mu.Lock()
	ready := l.remove(r)
	l.mu.Unlock()
	<-l.places
	proceed(ready)
}

// giveUp takes a range out of the line that is not held yet.
func (l *rangeLock) giveUp(r *ranged) {
	l.mu.Lock()
	if r.blockers == 0 {
		l.mu.Unlock()
		return
	}
	ready := l.remove(r)
	l.mu.Unlock()
	<-l.places
	r.told.gaveUp()
	proceed(ready)
}

// remove takes r out of the line, and returns who is to be told that he holds his range now. mu is held.
func (l *rangeLock) remove(r *ranged) (ready []*told) {
	for later := r.next; later != nil; later = later.next {
		if !r.overlaps(later) {
			continue
		}
		if later.blockers--; later.blockers > 0 {
			continue
		}
		if later.told != nil {
			ready = append(ready, later.told)
		} else {
			close(later.granted)
		}
	}
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		l.mu.oldest = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		l.mu.newest = r.prev
	}
	return ready
}

// proceed tells those whose ranges are held now, without mu.
func proceed(ready []*told) {
	for _, who := range ready {
		who.late = !who.stop()
		who.granted()
	}
}

// overlaps says whether the later of two waits for the earlier.
func (r *ranged) overlaps(other *ranged) bool {
	if r.shared && other.shared {
		return false
	}
	return r.first <= other.last && other.first <= r.last
}
