package target

import (
	"errors"
	"fmt"
	"io"
	"net"

	"forebay/protocols/iscsi"
	"forebay/protocols/sock"
)

// reader takes PDUs from a connection through one buffer. It is used by the connection's goroutine only.
type reader struct {
	from *sock.Reader
	buf  []byte
	r, w int // unread bytes are buf[r:w]

	headerDigest, dataDigest bool
	// beforeBlocking is called when the buffer has nothing more and the socket has to be asked.
	beforeBlocking func() error
	touched        func() // bytes have come
}

const readBuffer = 256 << 10

var (
	errHeaderDigest = errors.New("header digest error")
	errDataDigest   = errors.New("data digest error")
	errProtocol     = errors.New("protocol error")
)

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProtocol, fmt.Sprintf(format, args...))
}

func newReader(from net.Conn, beforeBlocking func() error, touched func()) *reader {
	return &reader{from: sock.NewReader(from), buf: make([]byte, readBuffer), beforeBlocking: beforeBlocking, touched: touched}
}

// more reads from the socket at least once, into the buffer.
func (r *reader) more() error {
	if err := r.beforeBlocking(); err != nil {
		return err
	}
	switch {
	case r.r == r.w:
		r.r, r.w = 0, 0
	case len(r.buf)-r.w < len(r.buf)/4:
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	n, err := r.from.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		r.touched()
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// take returns the next n bytes, at most a header with its additional segments; they stay valid until the next call.
func (r *reader) take(n int) ([]byte, error) {
	for r.w-r.r < n {
		if err := r.more(); err != nil {
			if r.w > r.r && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	p := r.buf[r.r : r.r+n]
	r.r += n
	return p, nil
}

// header reads a basic header segment into h, and drops additional ones: they belong to bidirectional commands and long CDBs, which
// no device here takes; extended reports that there was one.
func (r *reader) header(h iscsi.Header) (extended bool, err error) {
	p, err := r.take(iscsi.HeaderLength)
	if err != nil {
		return false, err
	}
	copy(h, p)
	ahs, digest := h.AHSLength(), 0
	if r.headerDigest {
		digest = 4
	}
	if ahs+digest == 0 {
		return false, nil
	}
	if p, err = r.take(ahs + digest); err != nil {
		return false, err
	}
	if r.headerDigest && iscsi.DigestAt(p[ahs:]) != iscsi.Digest(iscsi.Digest(0, h), p[:ahs]) {
		return false, errHeaderDigest
	}
	return ahs > 0, nil
}

// data reads a data segment into dst, with padding and digest.
func (r *reader) data(dst []byte) error {
	n := copy(dst, r.buf[r.r:r.w])
	r.r += n
	for n < len(dst) {
		if len(dst)-n < len(r.buf)/2 { // the rest is short: read on what may stand behind it
			if err := r.more(); err != nil {
				return unexpected(err)
			}
			k := copy(dst[n:], r.buf[r.r:r.w])
			r.r += k
			n += k
			continue
		}
		if err := r.beforeBlocking(); err != nil {
			return err
		}
		k, err := r.from.Read(dst[n:])
		n += k
		if k > 0 {
			r.touched()
		} else if err != nil {
			return unexpected(err)
		}
	}
	return r.trailer(dst)
}

// trailer reads padding and digest of a data segment.
func (r *reader) trailer(dst []byte) error {
	if len(dst) == 0 {
		return nil
	}
	pad := iscsi.Pad(len(dst))
	tail := pad
	if r.dataDigest {
		tail += 4
	}
	if tail == 0 {
		return nil
	}
	p, err := r.take(tail)
	if err != nil {
		return unexpected(err)
	}
	if r.dataDigest && iscsi.DigestAt(p[pad:]) != iscsi.Digest(iscsi.Digest(0, dst), p[:pad]) {
		return errDataDigest
	}
	return nil
}

// discard reads over a data segment of n bytes.
func (r *reader) discard(n int) error {
	if n == 0 {
		return nil
	}
	tail := iscsi.Pad(n)
	if r.dataDigest {
		tail += 4
	}
	for n += tail; n > 0; {
		k := min(n, r.w-r.r)
		r.r += k
		if n -= k; n > 0 {
			if err := r.more(); err != nil {
				return unexpected(err)
			}
		}
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
