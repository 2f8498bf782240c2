package nfs

import "forebay/protocols/nfs/xdr"

// RenameArgs are the arguments of RENAME. Those of REMOVE and RMDIR are a DirOp.
type RenameArgs struct{ From, To DirOp }

func (a *RenameArgs) Encode(e *xdr.Encoder) {
	a.From.Encode(e)
	a.To.Encode(e)
}

func (a *RenameArgs) Decode(d *xdr.Decoder) {
	a.From.Decode(d)
	a.To.Decode(d)
}

// RenameResult is the result of RENAME.
type RenameResult struct {
	Status         Status
	FromDir, ToDir WccData
}

func (r *RenameResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	r.FromDir.Encode(e)
	r.ToDir.Encode(e)
}

func (r *RenameResult) Decode(d *xdr.Decoder) {
	r.Status = Status(d.Uint32())
	r.FromDir.Decode(d)
	r.ToDir.Decode(d)
}

// LinkArgs are the arguments of LINK: Link becomes another name of File.
type LinkArgs struct {
	File Handle
	Link DirOp
}

func (a *LinkArgs) Encode(e *xdr.Encoder) {
	e.Opaque(a.File)
	a.Link.Encode(e)
}

func (a *LinkArgs) Decode(d *xdr.Decoder) {
	a.File = d.Opaque(MaxHandle)
	a.Link.Decode(d)
}

// LinkResult is the result of LINK.
type LinkResult struct {
	Status Status
	Attr   PostOpAttr
	DirWcc WccData
}

func (r *LinkResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	r.DirWcc.Encode(e)
}

func (r *LinkResult) Decode(d *xdr.Decoder) {
	r.Status = Status(d.Uint32())
	decodePostOp(d, &r.Attr)
	r.DirWcc.Decode(d)
}
