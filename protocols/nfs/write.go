package nfs

import "forebay/protocols/nfs/xdr"

// Stable is a stable_how: how durable written data is asked to be, or is.
type Stable uint32

const (
	Unstable Stable = iota
	DataSync
	FileSync
)

// WriteArgs are the arguments of WRITE. Count, which the wire says twice, is the length of Data.
type WriteArgs struct {
	File   Handle
	Offset uint64
	Stable Stable
	Data   []byte // a view
}

// EncodeHead appends all up to the data, of which the caller sends n bytes behind it, and their padding. Data isn't looked at.
func (a *WriteArgs) EncodeHead(e *xdr.Encoder, n int) {
	e.Opaque(a.File)
	e.Uint64(a.Offset)
	e.Uint32(uint32(n))
	e.Uint32(uint32(a.Stable))
	e.Uint32(uint32(n))
}

// Encode appends all, the data too.
func (a *WriteArgs) Encode(e *xdr.Encoder) {
	a.EncodeHead(e, len(a.Data))
	e.Fixed(a.Data)
}

func (a *WriteArgs) Decode(d *xdr.Decoder) {
	a.File = d.Opaque(MaxHandle)
	a.Offset = d.Uint64()
	count := d.Uint32()
	a.Stable = Stable(d.Enum(uint32(FileSync)))
	a.Data = decodeData(d, count)
}

// WriteResult is the result of WRITE. All but Wcc counts with OK.
type WriteResult struct {
	Status    Status
	Wcc       WccData
	Count     uint32
	Committed Stable
	Verifier  Verifier
}

func (r *WriteResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	r.Wcc.Encode(e)
	if r.Status == OK {
		e.Uint32(r.Count)
		e.Uint32(uint32(r.Committed))
		r.Verifier.encode(e)
	}
}

func (r *WriteResult) Decode(d *xdr.Decoder) {
	r.Status = Status(d.Uint32())
	r.Wcc.Decode(d)
	r.Count, r.Committed, r.Verifier = 0, 0, Verifier{}
	if r.Status == OK {
		r.Count = d.Uint32()
		r.Committed = Stable(d.Enum(uint32(FileSync)))
		r.Verifier.decode(d)
	}
}

// CommitArgs are the arguments of COMMIT. A Count of 0 reaches to the end of the file.
type CommitArgs struct {
	File   Handle
	Offset uint64
	Count  uint32
}

func (a *CommitArgs) Encode(e *xdr.Encoder) { (*ReadArgs)(a).Encode(e) }
func (a *CommitArgs) Decode(d *xdr.Decoder) { (*ReadArgs)(a).Decode(d) }

// CommitResult is the result of COMMIT. Verifier counts with OK.
type CommitResult struct {
	Status   Status
	Wcc      WccData
	Verifier Verifier
}

func (r *CommitResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	r.Wcc.Encode(e)
	if r.Status == OK {
		r.Verifier.encode(e)
	}
}

func (r *CommitResult) Decode(d *xdr.Decoder) {
	r.Status = Status(d.Uint32())
	r.Wcc.Decode(d)
	r.Verifier = Verifier{}
	if r.Status == OK {
		r.Verifier.decode(d)
	}
}
