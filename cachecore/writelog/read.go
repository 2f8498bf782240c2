package writelog

import (
	"fmt"
	"sync"

	"forebay/cachecore/device"
)

// readUnits is how much of the device a reader takes at a time.
const readUnits = 64

var readBuffers = sync.Pool{New: func() any { b := device.Buffer(readUnits * unit); return &b }}

// ReadAt reads len(p) bytes of a record's data, from its byte skip on; the record must have that many. Every byte is verified: ErrDamaged if it
// isn't what was written. ErrGone: the record has been moved, or trimmed, and its place is used again.
func (l *Log) ReadAt(p []byte, at Position, skip int64) error {
	if len(p) == 0 {
		return nil
	}
	lap, from, in := at.split()
	from, in = from+(in+skip)/payload, (in+skip)%payload
	seg, err := l.pin(lap, from, unitsOf(in+int64(len(p))))
	if err != nil {
		return err
	}
	defer l.unpin(seg)
	buffer := readBuffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is in it
	defer readBuffers.Put(buffer)
	for len(p) > 0 {
		n := min(unitsOf(in+int64(len(p))), readUnits)
		blocks, err := l.blocks(from, n, *buffer)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err := l.verify(seg, blocks, from); err != nil {
			return err
		}
		for ; len(blocks) > 0; blocks = blocks[unit:] {
			p, in = p[copy(p, blocks[in:payload]):], 0
		}
		from += n
	}
	return nil
}

// blocks are n units of a pinned segment: in the device's memory, if it is that, else read into the buffer.
func (l *Log) blocks(from, n int64, buffer []byte) ([]byte, error) {
	if p := l.inPlace(from, n); p != nil {
		return p, nil
	}
	return buffer[:n*unit], l.dev.ReadAt(buffer[:n*unit], from*unit)
}

// verify holds blocks against their checksums.
func (l *Log) verify(seg *segment, blocks []byte, at int64) error {
	l.mu.Lock()
	session := seg.sessionAt(at - l.start(seg.number))
	l.mu.Unlock()
	s := newSealer(l.super.incarnation, session, seg.number)
	for ; len(blocks) > 0; blocks = blocks[unit:] {
		if !s.valid(blocks, at) {
			return fmt.Errorf("%w: unit %d is not what was written", ErrDamaged, at)
		}
		at++
	}
	return nil
}

// pin finds the segment of a position and keeps its place from being used again.
func (l *Log) pin(lap uint64, at, units int64) (*segment, error) {
	index := (at - frontUnits) / l.units
	if at < frontUnits || index >= l.segments {
		return nil, fmt.Errorf("%w: there is no unit %d", ErrInvalid, at)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seg := l.mu.ring[index]
	if seg == nil || seg.closed || l.lap(seg.number) != lap {
		return nil, ErrGone
	}
	if at-l.start(seg.number)+units > seg.used || len(seg.sessions) == 0 {
		return nil, fmt.Errorf("%w: units %d to %d have not been written", ErrInvalid, at, at+units)
	}
	seg.readers++
	return seg, nil
}

func (l *Log) unpin(seg *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seg.readers--; seg.closed && seg.readers == 0 {
		l.mu.unread.Broadcast()
	}
}
