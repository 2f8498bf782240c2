package nfs

import "forebay/protocols/nfs/xdr"

// Limits of RFC 1813 2.4, and of names and paths, which it leaves to the server.
const (
	MaxHandle = 64
	MaxName   = 255
	MaxPath   = 4096 // as Linux's, clients and servers
)

// Handle is an nfs_fh3: opaque to clients. A decoded one is a view.
type Handle []byte

// Optional is what the wire may leave out: a union of a boolean and a value.
type Optional[T any] struct {
	Follows bool
	Value   T
}

// Some is a value that is there.
func Some[T any](v T) Optional[T] { return Optional[T]{Follows: true, Value: v} }

// Verifier is a writeverf3, cookieverf3 or createverf3.
type Verifier [8]byte

func (v *Verifier) encode(e *xdr.Encoder) { e.Fixed(v[:]) }
func (v *Verifier) decode(d *xdr.Decoder) { copy(v[:], d.Fixed(len(v))) }

// Time is an nfstime3.
type Time struct{ Seconds, Nanoseconds uint32 }

// Before says whether t is earlier than u.
func (t Time) Before(u Time) bool {
	return t.Seconds < u.Seconds || t.Seconds == u.Seconds && t.Nanoseconds < u.Nanoseconds
}

func (t *Time) encode(e *xdr.Encoder) {
	e.Uint32(t.Seconds)
	e.Uint32(t.Nanoseconds)
}

func (t *Time) decode(d *xdr.Decoder) { t.Seconds, t.Nanoseconds = d.Uint32(), d.Uint32() }

// Device is a specdata3.
type Device struct{ Major, Minor uint32 }

// DirOp is a diropargs3: a name in a directory.
type DirOp struct {
	Dir  Handle
	Name string
}

func (o *DirOp) Encode(e *xdr.Encoder) {
	e.Opaque(o.Dir)
	e.String(o.Name)
}

func (o *DirOp) Decode(d *xdr.Decoder) {
	o.Dir = d.Opaque(MaxHandle)
	o.Name = decodeText(d, MaxName)
}

// decodeText reads a name or path. RFC 1813 has no limit for them on the wire, so that one which is too long here is well-formed.
func decodeText(d *xdr.Decoder, limit int) string {
	p := d.Opaque(len(d.Rest()))
	if len(p) > limit {
		d.Fail(ErrNameTooLong)
		return ""
	}
	return string(p)
}

func encodeHandle(e *xdr.Encoder, h *Optional[Handle]) {
	e.Bool(h.Follows)
	if h.Follows {
		e.Opaque(h.Value)
	}
}

func decodeHandle(d *xdr.Decoder, h *Optional[Handle]) {
	*h = Optional[Handle]{Follows: d.Bool()}
	if h.Follows {
		h.Value = d.Opaque(MaxHandle)
	}
}
