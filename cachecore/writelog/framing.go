package writelog

import (
	"errors"
	"fmt"
	"time"

	"forebay/cachecore/device"
)

// frame writes the next frame, with as many of the items as there is room for, and returns how many.
func (l *Log) frame(items []item, moved bool) (int, error) {
	n, err := l.place(items, moved)
	if err != nil {
		return 0, err
	}
	h := l.build(items[:n])
	at := l.start(h.segment) + l.w.at
	blocks, sum := l.w.seal(&h, l.super.incarnation, at)
	if room := (l.units - l.w.at) * unit; int64(len(blocks)) > room {
		return 0, fmt.Errorf("a frame of %d bytes where there is room for %d", len(blocks), room)
	}
	if err := l.store(blocks, at); err != nil {
		return 0, err
	}
	l.w.sum = sum
	l.settle(&h, items[:n])
	return n, nil
}

// inPlace is units of a device that is memory, into which frames are made at once; nil: it isn't. Nobody reads what is behind the newest frame.
func (l *Log) inPlace(at, units int64) []byte {
	if m, ok := l.dev.(*device.Memory); ok {
		return m.Bytes(at*unit, units*unit)
	}
	return nil
}

// store makes a frame durable.
func (l *Log) store(blocks []byte, at int64) error {
	if l.inPlace(at, 1) != nil {
		return nil // it has been made there
	}
	return l.dev.WriteDurable(blocks, at*unit)
}

// place finds room for a frame, and says for how many of the items: in the newest segment if it can, else it begins another. If fewer segments are
// free than have to be, others than moved items wait until some are.
//
// The first frame of a session is written where the log ends in any case, if need be without items: a torn frame of the same number must not stay there.
func (l *Log) place(items []item, moved bool) (n int, err error) {
	for tries := l.segments * l.units; tries > 0; tries-- {
		if err := l.Err(); err != nil {
			return 0, err
		}
		if !moved && l.toCome() < l.reserve {
			l.move()
			continue
		}
		if l.w.at < l.units {
			if n = l.fit(items); n > 0 || len(items) == 0 || l.w.entering {
				return n, nil
			}
		}
		switch {
		case !moved && l.toCome() == l.reserve:
			l.move()
		case l.free() < 1:
			return 0, errNoRoom
		default:
			l.beginSegment()
		}
	}
	return 0, errNoRoom
}

// errNoRoom can't be, by limit().
var errNoRoom = errors.New("no segment can be freed")

// room is how long the next frame may be, in units.
func (l *Log) room() int64 { return min(l.units-l.w.at, l.maxFrame()) }

// fit is how many of the items go into a frame at the end of the newest segment, with all that it needs besides.
func (l *Log) fit(items []item) (n int) {
	room := l.room() * payload
	bytes := int64(headerSize + min(maxTouched, len(l.w.touched))*touchSize + len(l.w.table)*maxDescriptor)
	for ; n < len(items); n++ {
		it := &items[n]
		need := int64(descriptorLen(len(it.Object))) + int64(it.size)
		if !it.shard.stated {
			need += maxDescriptor
		}
		if bytes+need > room || n > 0 && bytes+need > gatherBytes {
			break
		}
		bytes += need
	}
	return n
}

// build makes the frame of the items, up to its seal: what they touch in the frame before, the table if it is the segment's first, the records, their data.
func (l *Log) build(items []item) header {
	w := &l.w
	h := header{
		segment: l.mu.head, number: w.number, session: w.session, previous: w.sum, durable: w.number - 1, tail: l.mu.tail,
		written: time.Now().UnixNano(),
	}
	w.reset(l.room(), l.inPlace(l.start(h.segment)+w.at, l.room()))
	if w.at == 0 {
		h.flags |= frameFirst
	}
	l.buildTouched(&h)
	for _, s := range w.table {
		l.buildState(&h, s)
	}
	w.table = w.table[:0]
	for i := range items {
		if s := items[i].shard; !s.stated {
			l.buildState(&h, s)
		}
		w.describe(&items[i].descriptor)
		w.order = max(w.order, items[i].order+1)
	}
	h.records += uint32(len(items))
	h.data, h.order = uint64(w.n), w.order
	for i := range items {
		if items[i].size > 0 {
			items[i].at = position(l.lap(h.segment), l.start(h.segment)+w.at+w.n/payload, w.n%payload)
		}
		for _, p := range items[i].data {
			w.write(p)
		}
	}
	return h
}

func (l *Log) buildTouched(h *header) {
	w := &l.w
	if w.unnamed || len(w.touched) > maxTouched {
		h.flags |= frameTooMany
		return
	}
	h.touched = uint32(len(w.touched))
	for _, s := range w.touched {
		w.touch(s.touched)
	}
}

func (l *Log) buildState(h *header, s *shard) {
	d := descriptor{Record: Record{Shard: s.id, Kind: kindState, Name: s.name}, state: &s.marks}
	l.w.describe(&d)
	h.records++
	s.stated = true
}
