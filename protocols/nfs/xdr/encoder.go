package xdr

import "encoding/binary"

// Encoder appends values to a byte slice. The zero value is ready; what is too long for the reader is not its affair.
type Encoder struct{ buf []byte }

// NewEncoder returns an encoder that appends to p, in p's memory as long as that suffices.
func NewEncoder(p []byte) Encoder { return Encoder{buf: p} }

// Bytes are what the encoder began with and what has been appended. They are valid until the next call.
func (e *Encoder) Bytes() []byte { return e.buf }

// Len is the length of Bytes.
func (e *Encoder) Len() int { return len(e.buf) }

// Truncate forgets all but the first n bytes.
func (e *Encoder) Truncate(n int) { e.buf = e.buf[:n] }

// Uint32 appends an unsigned integer or an enum.
func (e *Encoder) Uint32(v uint32) { e.buf = binary.BigEndian.AppendUint32(e.buf, v) }

// Uint64 appends an unsigned hyper.
func (e *Encoder) Uint64(v uint64) { e.buf = binary.BigEndian.AppendUint64(e.buf, v) }

// Bool appends a boolean.
func (e *Encoder) Bool(v bool) {
	if v {
		e.Uint32(1)
	} else {
		e.Uint32(0)
	}
}

// Fixed appends opaque data whose length the reader knows.
func (e *Encoder) Fixed(p []byte) {
	e.buf = append(e.buf, p...)
	e.Padding(len(p))
}

// Opaque appends opaque data with its length.
func (e *Encoder) Opaque(p []byte) {
	e.Uint32(uint32(len(p)))
	e.Fixed(p)
}

// String appends a string.
func (e *Encoder) String(s string) {
	e.Uint32(uint32(len(s)))
	e.buf = append(e.buf, s...)
	e.Padding(len(s))
}

// Padding appends what fills n bytes up.
func (e *Encoder) Padding(n int) { e.buf = append(e.buf, zeros[:Pad(n)]...) }

var zeros [3]byte
