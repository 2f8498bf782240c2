package relay

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// errClosed is the end of a line whose bytes nobody wants any more.
var errClosed = errors.New("the line is closed")

// Bytes that enter within a grain of each other are due together, so that small PDUs don't become small segments.
const grain = 20 * time.Microsecond

const smallestRing = 64 << 10

// line is a bounded queue of bytes with the times at which they are due, which never decrease. One goroutine writes at a time, one
// drains; end and close may be called from anywhere.
type line struct {
	delay *atomic.Int64 // nanoseconds
	limit int           // bytes
	alarm *alarm

	mu struct {
		sync.Mutex
		changed    sync.Cond
		ring       []byte // the byte at position p of the stream is ring[p%len(ring)]
		head, tail int    // positions: what the writer has sent, what has entered
		marks      []mark
		how        Ending
		ended      bool // nothing more enters
		closed     bool
	}
}

// mark says when the bytes up to a position are due.
type mark struct {
	end int
	due time.Time
}

func newLine(delay *atomic.Int64, limit int) (*line, error) {
	a, err := newAlarm()
	if err != nil {
		return nil, err
	}
	l := &line{delay: delay, limit: max(limit, smallestRing), alarm: a}
	l.mu.changed.L = &l.mu
	return l, nil
}

// write enters p, waiting for room. A line that has ended or is closed swallows it.
func (l *line) write(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(p) > 0 {
		for l.mu.tail-l.mu.head == l.limit && !l.mu.closed {
			l.mu.changed.Wait()
		}
		if l.mu.ended || l.mu.closed {
			return
		}
		n := l.put(p)
		l.stamp()
		p = p[n:]
		l.mu.changed.Broadcast()
	}
}

// put copies what there is room for. l.mu is held.
func (l *line) put(p []byte) int {
	used := l.mu.tail - l.mu.head
	n := min(len(p), l.limit-used)
	if used+n > len(l.mu.ring) {
		l.grow(used + n)
	}
	at := l.mu.tail % len(l.mu.ring)
	copy(l.mu.ring, p[copy(l.mu.ring[at:], p[:n]):n])
	l.mu.tail += n
	return n
}

// grow makes the ring hold n bytes. The writer may still be sending from the old one. l.mu is held.
func (l *line) grow(n int) {
	size := max(len(l.mu.ring), smallestRing)
	for size < n {
		size *= 2
	}
	ring := make([]byte, min(size, l.limit))
	for p := l.mu.head; p < l.mu.tail; {
		from := l.mu.ring[p%len(l.mu.ring):]
		p += copy(ring[p%len(ring):], from[:min(len(from), l.mu.tail-p)])
	}
	l.mu.ring = ring
}

// stamp says when the bytes up to the tail are due. l.mu is held.
func (l *line) stamp() {
	due := time.Now().Add(time.Duration(l.delay.Load()))
	if n := len(l.mu.marks); n > 0 {
		last := &l.mu.marks[n-1]
		if due.Sub(last.due) < grain { // or the delay has been made shorter
			last.end = l.mu.tail
			return
		}
	}
	l.mu.marks = append(l.mu.marks, mark{l.mu.tail, due})
}

// end lets nothing more in; what is in the line still comes out. The first ending counts.
func (l *line) end(how Ending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mu.ended {
		l.mu.ended, l.mu.how = true, how
		l.mu.changed.Broadcast()
	}
}

// close loses what is in the line.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mu.closed {
		l.mu.closed = true
		l.mu.changed.Broadcast()
		l.alarm.close()
	}
}

// drain sends the bytes when they are due. It returns the ending when all are sent, else an error: errClosed, or that of to.
func (l *line) drain(to io.Writer) (Ending, error) {
	for {
		due, how, err := l.next()
		if err != nil || due.IsZero() {
			return how, err
		}
		l.alarm.wait(due)
		n, err := to.Write(l.due())
		l.sent(n)
		if err != nil {
			return how, err
		}
	}
}

// next waits for bytes and says when the first is due; never, if the line has ended.
func (l *line) next() (due time.Time, how Ending, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.mu.head == l.mu.tail && !l.mu.ended && !l.mu.closed {
		l.mu.changed.Wait()
	}
	switch {
	case l.mu.closed:
		return due, how, errClosed
	case l.mu.head == l.mu.tail:
		return due, l.mu.how, nil
	}
	return l.mu.marks[0].due, how, nil
}

// due returns bytes that are due, as far as they lie together; the first mark's are. They stay in the ring until sent is called.
func (l *line) due() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil
	}
	now, to := time.Now(), l.mu.marks[0].end
	for _, m := range l.mu.marks[1:] {
		if m.due.After(now) {
			break
		}
		to = m.end
	}
	at := l.mu.head % len(l.mu.ring)
	return l.mu.ring[at:min(at+to-l.mu.head, len(l.mu.ring))]
}

func (l *line) sent(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.head += n
	for len(l.mu.marks) > 0 && l.mu.marks[0].end <= l.mu.head {
		l.mu.marks = l.mu.marks[1:]
	}
	l.mu.changed.Broadcast()
}
