package xdr

import (
	"encoding/binary"
	"errors"
)

// How decoding fails.
var (
	ErrShort   = errors.New("xdr: the data ends too early")
	ErrTooLong = errors.New("xdr: longer than allowed")
	ErrInvalid = errors.New("xdr: a value that the type does not have")
)

// Decoder takes values off a byte slice. The zero value has no data.
type Decoder struct {
	rest []byte
	err  error
}

// NewDecoder returns a decoder over p, which it never changes.
func NewDecoder(p []byte) Decoder { return Decoder{rest: p} }

// Err is the first error.
func (d *Decoder) Err() error { return d.err }

// Fail sets the error, unless there is one; nothing can be read any more.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err, d.rest = err, nil
	}
}

// Rest is what has not been read: a view.
func (d *Decoder) Rest() []byte { return d.rest }

// Uint32 reads an unsigned integer, an enum, or an integer whose bits the caller knows to read.
func (d *Decoder) Uint32() uint32 {
	if len(d.rest) < 4 {
		d.Fail(ErrShort)
		return 0
	}
	v := binary.BigEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return v
}

// Uint64 reads an unsigned hyper.
func (d *Decoder) Uint64() uint64 {
	if len(d.rest) < 8 {
		d.Fail(ErrShort)
		return 0
	}
	v := binary.BigEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return v
}

// Bool reads a boolean, which is 0 or 1.
func (d *Decoder) Bool() bool { return d.Enum(1) == 1 }

// Enum reads a value of 0 to last.
func (d *Decoder) Enum(last uint32) uint32 {
	v := d.Uint32()
	if v > last {
		d.Fail(ErrInvalid)
		return 0
	}
	return v
}

// Fixed reads opaque data of n bytes: a view, nil after an error.
func (d *Decoder) Fixed(n int) []byte {
	total := n + Pad(n)
	if d.err != nil || len(d.rest) < total {
		d.Fail(ErrShort)
		return nil
	}
	p := d.rest[:n:n]
	d.rest = d.rest[total:]
	return p
}

// Opaque reads opaque data of at most limit bytes: a view, nil after an error.
func (d *Decoder) Opaque(limit int) []byte {
	n := d.Uint32()
	switch {
	case d.err != nil:
		return nil
	case uint64(n) > uint64(limit):
		d.Fail(ErrTooLong)
		return nil
	case uint64(n) > uint64(len(d.rest)):
		d.Fail(ErrShort)
		return nil
	}
	return d.Fixed(int(n))
}

// String reads a string of at most limit bytes: a copy.
func (d *Decoder) String(limit int) string { return string(d.Opaque(limit)) }

// Count reads the length of an array of at most limit elements, each of at least size bytes. An array that can't be all there fails
// before anybody makes room for it.
func (d *Decoder) Count(limit, size int) int {
	n := d.Uint32()
	switch {
	case uint64(n) > uint64(limit):
		d.Fail(ErrTooLong)
		return 0
	case uint64(n)*uint64(size) > uint64(len(d.rest)):
		d.Fail(ErrShort)
		return 0
	}
	return int(n)
}
