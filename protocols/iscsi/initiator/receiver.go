package initiator

import (
	"io"

	"forebay/protocols/iscsi"
)

const (
	receiveBuffer = 256 << 10
	maxSegment    = 64 << 10 // of PDUs other than Data-In, whose data goes elsewhere
	directRead    = 32 << 10 // what is missing of a Data-In is read past the buffer from here
)

// receiver takes PDUs off a stream, through a buffer. One goroutine's.
type receiver struct {
	src        io.Reader
	buf        []byte
	start, end int
	bhs        [iscsi.HeaderLength]byte

	headerDigest, dataDigest bool
}

func newReceiver(src io.Reader) *receiver {
	return &receiver{src: src, buf: make([]byte, receiveBuffer)}
}

// read adds what the stream has, at least one byte, having made room for n bytes in a row.
func (r *receiver) read(n int) error {
	if r.start == r.end {
		r.start, r.end = 0, 0
	} else if r.start+n > len(r.buf) {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	got, err := r.src.Read(r.buf[r.end:])
	r.end += got
	if got > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// take returns the next n bytes, n <= len(r.buf). They are valid until the next call.
func (r *receiver) take(n int) ([]byte, error) {
	for r.end-r.start < n {
		if err := r.read(n); err != nil {
			return nil, err
		}
	}
	p := r.buf[r.start : r.start+n]
	r.start += n
	return p, nil
}

// header returns the next basic header segment, valid until the next call. Additional segments are checked and skipped.
func (r *receiver) header() (iscsi.Header, error) {
	p, err := r.take(iscsi.HeaderLength)
	if err != nil {
		return nil, err
	}
	h := iscsi.Header(r.bhs[:])
	copy(h, p)
	crc := iscsi.Digest(0, h)
	if n := h.AHSLength(); n > 0 {
		if p, err = r.take(n); err != nil {
			return nil, err
		}
		crc = iscsi.Digest(crc, p)
	}
	if r.headerDigest {
		if err := r.digest(crc); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// segment returns a data segment of n bytes, valid until the next call.
func (r *receiver) segment(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if n > maxSegment {
		return nil, protocolError("a data segment of %d bytes", n)
	}
	total := n + iscsi.Pad(n)
	if r.dataDigest {
		total += 4
	}
	p, err := r.take(total)
	if err != nil {
		return nil, err
	}
	if r.dataDigest && iscsi.Digest(0, p[:total-4]) != iscsi.DigestAt(p[total-4:]) {
		return nil, ErrDigest
	}
	return p[:n], nil
}

// into reads a data segment of len(dst) > 0 bytes to where it belongs.
func (r *receiver) into(dst []byte) error {
	for rest := dst; len(rest) > 0; {
		n := copy(rest, r.buf[r.start:r.end])
		r.start += n
		rest = rest[n:]
		if len(rest) >= directRead {
			n, err := r.src.Read(rest)
			rest = rest[n:]
			if n == 0 && err != nil {
				return err
			}
		} else if len(rest) > 0 {
			if err := r.read(1); err != nil {
				return err
			}
		}
	}
	padding, err := r.take(iscsi.Pad(len(dst)))
	if err != nil || !r.dataDigest {
		return err
	}
	return r.digest(iscsi.Digest(iscsi.Digest(0, dst), padding))
}

func (r *receiver) digest(crc uint32) error {
	p, err := r.take(4)
	if err == nil && iscsi.DigestAt(p) != crc {
		err = ErrDigest
	}
	return err
}
