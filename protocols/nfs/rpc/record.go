package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	lastFragment = 1 << 31
	markLength   = 4       // record mark (RFC 5531 11)
	maxFragments = 4 << 10 // of a record

	readBuffer = 128 << 10
	shortMax   = 8 << 10 // records up to here stay in the buffer
)

// records takes records off a stream. One goroutine's.
type records struct {
	from  io.Reader
	limit int // bytes of a record
	buf   []byte
	r, w  int // unread bytes are buf[r:w]

	// wait is called before the stream is asked for bytes, which may block. inside says that a record has begun.
	wait func(inside bool) error
	// get returns memory for a record of up to n bytes; put takes it back when the record does not come to its end.
	get func(n int) (memory, error)
	put func(m memory)

	inside bool
}

// next returns the next record. It is a view until the next call, unless it lies in memory of its own, which is the caller's from here
// on. The end of the stream between two records is io.EOF.
func (s *records) next() (p []byte, m memory, err error) {
	s.inside = false
	n, last, err := s.mark()
	if err != nil {
		return nil, memory{}, err
	}
	if last && n <= shortMax {
		p, err = s.take(n)
		return p, memory{}, err
	}
	room := n
	if !last { // who knows how long it will be
		room = s.limit
	}
	if m, err = s.get(room); err != nil {
		return nil, memory{}, err
	}
	if p, err = s.gather(m.bytes, n, last); err != nil {
		s.put(m)
		return nil, memory{}, err
	}
	return p, m, nil
}

// gather reads a record of which the first fragment has n bytes.
func (s *records) gather(room []byte, n int, last bool) ([]byte, error) {
	total := 0
	for fragments := 1; ; fragments++ {
		if err := s.fill(room[total : total+n]); err != nil {
			return nil, err
		}
		if total += n; last {
			return room[:total], nil
		}
		if fragments == maxFragments {
			return nil, fmt.Errorf("%w: a record of more than %d fragments", ErrProtocol, maxFragments)
		}
		var err error
		if n, last, err = s.mark(); err != nil {
			return nil, err
		}
		if n > s.limit-total {
			return nil, fmt.Errorf("%w: a record of more than %d bytes", ErrProtocol, s.limit)
		}
	}
}

// mark reads a record mark.
func (s *records) mark() (n int, last bool, err error) {
	p, err := s.take(markLength)
	if err != nil {
		return 0, false, err
	}
	s.inside = true
	v := binary.BigEndian.Uint32(p)
	n, last = int(v&^lastFragment), v&lastFragment != 0
	if n > s.limit {
		return 0, false, fmt.Errorf("%w: a fragment of %d bytes", ErrProtocol, n)
	}
	return n, last, nil
}

// take returns the next n <= shortMax bytes, a view until the next call.
func (s *records) take(n int) ([]byte, error) {
	for s.w-s.r < n {
		if err := s.more(); err != nil {
			return nil, err
		}
	}
	p := s.buf[s.r : s.r+n : s.r+n]
	s.r += n
	return p, nil
}

// more reads into the buffer, at least one byte.
func (s *records) more() error {
	if s.r == s.w {
		s.r, s.w = 0, 0
	} else if len(s.buf)-s.r < shortMax {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	n, err := s.read(s.buf[s.w:])
	s.w += n
	return err
}

// fill reads len(p) bytes to where they belong, past the buffer once that is empty; what is short is read together with what may stand
// behind it.
func (s *records) fill(p []byte) error {
	for {
		n := copy(p, s.buf[s.r:s.w])
		s.r += n
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		if len(p) < shortMax {
			if err := s.more(); err != nil {
				return err
			}
			continue
		}
		n, err := s.read(p)
		if p = p[n:]; err != nil {
			return err
		}
	}
}

// read reads at least one byte from the stream.
func (s *records) read(p []byte) (int, error) {
	inside := s.begun()
	if err := s.wait(inside); err != nil {
		return 0, err
	}
	n, err := s.from.Read(p)
	switch {
	case n > 0:
		return n, nil
	case err == nil:
		return 0, io.ErrNoProgress
	case inside && errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// begun says whether part of a record has come.
func (s *records) begun() bool { return s.inside || s.w > s.r }
