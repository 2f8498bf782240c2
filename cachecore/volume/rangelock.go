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
	mu     struct {
		sync.Mutex
		oldest, newest *ranged
	}
}

// maxRanged is how many ranges may be held or waited for.
const maxRanged = 1024

// ranged is a range that is held, or waited for while blockers > 0. The fields are guarded by the lock's mu.
type ranged struct {
	first, last cachecore.Block
	blockers    int           // earlier ones that overlap
	granted     chan struct{} // closed when blockers becomes 0; nil if it was 0 from the start
	call        func()        // called instead, by whoever lets go of the last of them; it must not block
	prev, next  *ranged
}

func newRangeLock() *rangeLock { return &rangeLock{places: make(chan struct{}, maxRanged)} }

// acquire holds n blocks from first on, until release, or fails with ctx's error.
func (l *rangeLock) acquire(ctx context.Context, first cachecore.Block, n uint64) (*ranged, error) {
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := &ranged{first: first, last: first + cachecore.Block(n-1)}
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
	for other := l.mu.oldest; other != nil; other = other.next {
		if r.overlaps(other) {
			r.blockers++
		}
	}
	if r.blockers > 0 && r.call == nil {
		r.granted = make(chan struct{})
	}
	r.prev = l.mu.newest
	if r.prev != nil {
		r.prev.next = r
	} else {
		l.mu.oldest = r
	}
	l.mu.newest = r
	return r.blockers == 0
}

// release lets go of a range that is held, or no longer waited for.
func (l *rangeLock) release(r *ranged) {
	var calls []func()
	l.mu.Lock()
	for later := r.next; later != nil; later = later.next {
		if !r.overlaps(later) {
			continue
		}
		if later.blockers--; later.blockers > 0 {
			continue
		}
		if later.call != nil {
			calls = append(calls, later.call)
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
	l.mu.Unlock()
	<-l.places
	for _, call := range calls {
		call()
	}
}

func (r *ranged) overlaps(other *ranged) bool { return r.first <= other.last && other.first <= r.last }
