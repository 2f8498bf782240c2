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
	largeData    = 32 << 10  // of which a copy costs more than a system call
	headLength   = 1 << 10   // more than a reply to READ has before the data: 532 (RFC 5531 9, RFC 1813 3.3.6)
)

var errReply = errors.New("what came is no reply")

// records takes records off a connection, where they lie in a buffer. One goroutine's.
//
// Nobody looks at the data that a load reads. Where a reply has much of it, only its head is copied out of the kernel: what is beside
// the servers in a comparison is to cost little.
type records struct {
	from source
	buf  []byte
	r, w int // unread bytes are buf[r:w]
	most int // bytes to read at a time
}

// source is a connection, as sock.Reader is one.
type source interface {
	io.Reader
	Pass(p []byte) (int, error) // reads what isn't wanted
}

// newRecords makes room for replies with so much data.
func newRecords(from source, data int) records {
	s := records{from: from, buf: make([]byte, max(minBuffer, data+replyRoom))}
	if s.most = len(s.buf); data >= largeData {
		s.most = headLength
	}
	return s
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
	var n int
	var err error
	if data := s.data(); len(data) > 0 {
		n, err = s.from.Pass(data)
	} else {
		n, err = s.from.Read(s.buf[s.w:min(len(s.buf), s.w+s.most)])
	}
	s.w += n
	if n > 0 {
		return nil
	}
	return err
}

// data is where the rest of a fragment would lie whose beginning has been read, if what is behind a reply's head is nothing but data.
func (s *records) data() []byte {
	if s.most != headLength || s.w-s.r < headLength {
		return nil
	}
	end := s.r + markLength + int(be.Uint32(s.buf[s.r:])&^lastFragment)
	if end > len(s.buf) {
		return nil // it has no room, or not here
	}
	return s.buf[s.w:max(s.w, end)]
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
