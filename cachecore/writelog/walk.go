package writelog

import "fmt"

// visitor is told what a walk finds, in the order of the log.
type visitor interface {
	// visit is told of every frame that has its place in the log. If it isn't whole, it is damaged: a later frame says that it was durable.
	visit(*frame)
	// missing is told of frames that are unreadable although they were durable, before the one behind them is visited.
	missing(gap)
}

// gap is where frames are unreadable.
type gap struct {
	from, to uint64 // numbers of the first, and of the one behind them; from is 0 if it is not known
	segment  uint64 // the last that may have held them
	holes    []hole // where the frames were looked for
	replaced bool   // the frame is readable, but not the one that was durable
}

// hole is a place where no frame could be read.
type hole struct {
	segment uint64
	at      int64 // units from the segment's start
}

func (g gap) String() string {
	switch {
	case g.replaced:
		return fmt.Sprintf("frame %d is not the one that was written", g.from)
	case g.from == 0:
		return fmt.Sprintf("frames before %d can't be read", g.to)
	case g.from+1 >= g.to:
		return fmt.Sprintf("frame %d can't be read", g.from)
	}
	return fmt.Sprintf("frames %d to %d can't be read", g.from, g.to-1)
}

// ending is where the log ends and goes on.
type ending struct {
	segment uint64
	at      int64  // unit
	number  uint64 // of the frame to come
	sum     uint32 // checksum of the last
	torn    *frame // what is there of the frame to come: a write that was under way when the power went, or so it seems
}

// walker goes through the frames of a log, from the oldest segment on.
type walker struct {
	*scanner
	v       visitor
	latest  uint64 // the segment that was begun last, as far as is known
	end     ending
	chained bool // end.sum is to be trusted
	// seen is a header found by seeking ahead, to be found again without.
	seen struct {
		header
		at int64
	}
}

// walk visits the log from segment tail to its end.
func (s *scanner) walk(tail, latest uint64, v visitor) (ending, error) {
	w := walker{scanner: s, v: v, latest: latest, end: ending{segment: tail, at: s.start(tail)}}
	if h, ok := s.head(tail, w.end.at); ok {
		w.end.number = h.number
	}
	for {
		f := w.next()
		if f == nil {
			h, at, ok := w.beyond(w.end.segment, w.end.at, w.end.number)
			if !ok {
				return w.end, w.unreadable()
			}
			v.missing(w.gapBefore(h, at))
			w.end, w.chained = ending{segment: h.segment, at: at, number: h.number}, false
			continue
		}
		if !f.whole {
			if _, _, stated := w.beyond(f.segment, f.at+1, f.number); !stated {
				w.end.torn = f
				return w.end, w.unreadable()
			}
		}
		if w.chained && f.previous != w.end.sum {
			v.missing(gap{from: f.number - 1, to: f.number, segment: f.segment, replaced: true})
		}
		v.visit(f)
		w.end = ending{segment: f.segment, at: f.at + f.units(), number: f.number + 1, sum: f.sum}
		w.chained = f.whole
	}
}

// gapBefore is what lies between the end so far and a frame.
func (w *walker) gapBefore(h header, at int64) gap {
	g := gap{from: w.end.number, to: h.number, segment: h.segment}
	if due := w.end.at - w.start(w.end.segment); due < w.units {
		g.holes = append(g.holes, hole{w.end.segment, due})
	}
	switch {
	case at == w.start(h.segment):
		g.segment--
	case h.segment > w.end.segment:
		g.holes = append(g.holes, hole{h.segment, 0})
	}
	return g
}

// next reads the frame that is due: it stands where the last one ends, or else where the next segment begins.
func (w *walker) next() *frame {
	if w.end.number == 0 {
		return nil
	}
	if here := w.due(w.end.segment, w.end.at); here != nil {
		return here
	}
	return w.due(w.end.segment+1, w.start(w.end.segment+1))
}

func (w *walker) due(segment uint64, at int64) *frame {
	if at == w.start(segment)+w.units {
		return nil
	}
	h, ok := w.head(segment, at)
	if !ok || h.number != w.end.number {
		return nil
	}
	return w.frame(h, at)
}

// beyond finds a readable frame, at or behind a unit of a segment, that says that frame number was durable (PROTOCOL F1). It looks at every
// unit of this segment and of the next; if a later one has been begun, it has the header to prove it.
func (w *walker) beyond(segment uint64, at int64, number uint64) (header, int64, bool) {
	if s := &w.seen; s.number > number && s.durable >= number && (s.segment > segment || s.at >= at) {
		return s.header, s.at, true
	}
	for last := max(segment+1, w.latest); segment <= last; segment++ {
		if h, found, ok := w.seek(segment, at, number); ok {
			w.seen.header, w.seen.at = h, found
			return h, found, true
		}
		at = w.start(segment + 1)
	}
	return header{}, 0, false
}

// unreadable refuses to end a log where a later frame may stand in what the device can't read: that is not what a power cut leaves.
func (w *walker) unreadable() error {
	for at, err := range w.bad {
		here := at >= w.end.at && at < w.start(w.end.segment)+w.units
		next := at >= w.start(w.end.segment+1) && at < w.start(w.end.segment+1)+w.units
		if here || next {
			return fmt.Errorf("%w: the log may go on in unit %d, which can't be read: %w", ErrDamaged, at, err)
		}
	}
	return nil
}
