package nfs

import "forebay/protocols/nfs/xdr"

// ReadArgs are the arguments of READ.
type ReadArgs struct {
	File   Handle
	Offset uint64
	Count  uint32
}

func (a *ReadArgs) Encode(e *xdr.Encoder) {
	e.Opaque(a.File)
	e.Uint64(a.Offset)
	e.Uint32(a.Count)
}

func (a *ReadArgs) Decode(d *xdr.Decoder) {
	a.File = d.Opaque(MaxHandle)
	a.Offset = d.Uint64()
	a.Count = d.Uint32()
}

// ReadResult is the result of READ. Count, EOF and Data count with OK.
type ReadResult struct {
	Status Status
	Attr   PostOpAttr
	Count  uint32
	EOF    bool
	Data   []byte // a view, Count bytes
}

// EncodeHead appends all up to the data. With OK the caller sends Count bytes behind it, and their padding; Data isn't looked at.
func (r *ReadResult) EncodeHead(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	if r.Status == OK {
		e.Uint32(r.Count)
		e.Bool(r.EOF)
		e.Uint32(r.Count)
	}
}

// Encode appends all, the data too.
func (r *ReadResult) Encode(e *xdr.Encoder) {
	r.EncodeHead(e)
	if r.Status == OK {
		e.Fixed(r.Data)
	}
}

func (r *ReadResult) Decode(d *xdr.Decoder) {
	r.Status = Status(d.Uint32())
	decodePostOp(d, &r.Attr)
	r.Count, r.EOF, r.Data = 0, false, nil
	if r.Status == OK {
		r.Count, r.EOF = d.Uint32(), d.Bool()
		r.Data = decodeData(d, r.Count)
	}
}

// decodeData reads opaque data whose length has been said before.
func decodeData(d *xdr.Decoder, count uint32) []byte {
	p := d.Opaque(len(d.Rest()))
	if uint64(len(p)) != uint64(count) {
		d.Fail(xdr.ErrInvalid)
		return nil
	}
	return p
}
