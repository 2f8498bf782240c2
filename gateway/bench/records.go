package bench

import (
	"errors"
	"fmt"
	"io"
)

const (
	lastFragment = 1 << 31
	markLength   = 4         // of a fragment (RFC 5531 11)
	replyRoom    = 4 << 10   // what stands in a reply beside the data
	minBuffer    = 256 << 10 // holds the replies to many commands
)

var errReply = errors.New("what came is no reply")

// records takes records off a connection, where they lie in a buffer. One goroutine's.
type records struct {
	from io.Reader
	buf  []byte
	r, w int // unread bytes are buf[r:w]
}

// newRecords makes room for replies with so much data.
func newRecords(from io.Reader, data int) records {
	return records{from: from, buf: make([]byte, max(minBuffer, data+replyRoom))}
}

// fill reads at least one byte.
func (s *records) fill() error {
	if s.r == s.w {
		s.r, s.w = 0, 0
	} else if s.w == len(s.buf) {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	if s.w == len(s.buf) {
		return fmt.Errorf("a reply of more than %d bytes", len(s.buf))
	}
	n, err := s.from.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	return err
}

// next returns the next record, a view until fill is called; nil if it has not come yet.
func (s *records) next() ([]byte, error) {
	fragments, at := 0, s.r
	for last := false; !last; fragments++ {
		if s.w-at < markLength {
			return nil, nil
		}
		mark := be.Uint32(s.buf[at:])
		n := int(mark &^ lastFragment)
		if n > len(s.buf) {
			return nil, fmt.Errorf("a fragment of %d bytes", n)
		}
		if at += markLength; s.w-at < n {
			return nil, nil
		}
		at, last = at+n, mark&lastFragment != 0
	}
	p := s.buf[s.r:at:at]
	s.r = at
	if fragments > 1 {
		return join(p), nil
	}
	return p[markLength:], nil
}

// join moves the fragments of a record together.
func join(p []byte) []byte {
	n := 0
	for at := 0; at < len(p); {
		end := at + markLength + int(be.Uint32(p[at:])&^lastFragment)
		n += copy(p[n:], p[at+markLength:end])
		at = end
	}
	return p[:n]
}
