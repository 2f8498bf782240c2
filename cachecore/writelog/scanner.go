package writelog

import (
	"fmt"

	"forebay/cachecore/device"
)

// window is how much a scanner reads at a time, in units.
const window = 256

// maxBad is how many unreadable units a scanner remembers.
const maxBad = 1000

// scanner reads frames. It changes nothing. One goroutine's at a time.
type scanner struct {
	dev         device.Device
	incarnation ID
	geometry
	buf     []byte          // what was read last
	from, n int64           // its units
	bad     map[int64]error // units that could not be read: at most maxBad, of those that were read last
	scratch []byte
}

func newScanner(dev device.Device, s superblock) *scanner {
	return &scanner{dev: dev, incarnation: s.incarnation, geometry: s.geometry, bad: map[int64]error{}}
}

// blocks returns n units from at on, which belong to one segment. Those that can't be read are zeros, which no checksum fits, and are remembered.
// The bytes are the scanner's, until the next call that reads.
func (s *scanner) blocks(at, n int64) []byte {
	if !s.has(at, n) {
		s.read(at, max(n, min(window, s.segmentEnd(at)-at)))
	}
	return s.buf[(at-s.from)*unit:][:n*unit]
}

// has says whether n units from at on are what was read last.
func (s *scanner) has(at, n int64) bool { return at >= s.from && at+n <= s.from+s.n }

// segmentEnd is where the segment ends that a unit belongs to.
func (s *scanner) segmentEnd(at int64) int64 {
	return frontUnits + ((at-frontUnits)/s.units+1)*s.units
}

func (s *scanner) read(at, n int64) {
	if int64(len(s.buf)) < n*unit {
		s.buf = device.Buffer(int(n * unit))
	}
	s.from, s.n = at, n
	if s.dev.ReadAt(s.buf[:n*unit], at*unit) == nil {
		return
	}
	for i := range n {
		p := s.buf[i*unit:][:unit]
		if err := s.dev.ReadAt(p, (at+i)*unit); err != nil {
			clear(p)
			if len(s.bad) >= maxBad {
				clear(s.bad)
			}
			s.bad[at+i] = err
		}
	}
}

// forget makes the next look read again.
func (s *scanner) forget() { s.n = 0 }

// head looks for the header of a frame of a segment; at is a unit of that segment.
func (s *scanner) head(segment uint64, at int64) (header, bool) {
	room := s.segmentEnd(at) - at
	block := s.blocks(at, 1)
	h, ok := decodeHeader(block, s.incarnation)
	if !ok || h.segment != segment || !newSealer(s.incarnation, h.session, segment).valid(block, at) {
		return header{}, false
	}
	first := h.flags&frameFirst != 0
	return h, h.plausible(room, s.maxFrame()) && first == (room == s.units)
}

// frame reads the frame whose header was found at a unit.
func (s *scanner) frame(h header, at int64) *frame {
	f := &frame{header: h, at: at}
	f.parse(s.geometry, s.blocks(at, h.units()), newSealer(s.incarnation, h.session, h.segment), &s.scratch)
	return f
}

// seek finds the first header of a frame of the segment, at or behind a unit, that was written when frame number was durable; false: there is none.
func (s *scanner) seek(segment uint64, at int64, number uint64) (header, int64, bool) {
	for end := s.start(segment) + s.units; at < end; at++ {
		if h, ok := s.head(segment, at); ok && h.number > number && h.durable >= number {
			return h, at, true
		}
	}
	return header{}, 0, false
}

// newest finds the segment that was begun last: the header of its first frame is right, even if the frame is not. It also returns the
// oldest segment that counted then.
func (s *scanner) newest() (head, tail uint64, err error) {
	found := false
	for i := range s.segments {
		at := frontUnits + i*s.units
		s.read(at, 1)
		h, ok := decodeHeader(s.buf[:unit], s.incarnation)
		if !ok || s.index(h.segment) != i || (found && h.segment < head) {
			continue
		}
		if h, ok = s.head(h.segment, at); ok {
			head, tail, found = h.segment, h.tail, true
		}
	}
	s.forget()
	switch {
	case !found:
		return 0, 0, fmt.Errorf("%w: no segment has a header", ErrDamaged)
	case head-tail >= uint64(s.segments):
		return 0, 0, fmt.Errorf("%w: segments %d to %d in a ring of %d", ErrDamaged, tail, head, s.segments)
	}
	return head, tail, nil
}
