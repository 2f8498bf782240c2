package nfs

import "forebay/protocols/nfs/xdr"

// HandleArgs are the arguments of GETATTR, READLINK, FSSTAT, FSINFO and PATHCONF.
type HandleArgs struct{ Object Handle }

func (a *HandleArgs) Encode(e *xdr.Encoder) { e.Opaque(a.Object) }
func (a *HandleArgs) Decode(d *xdr.Decoder) { a.Object = d.Opaque(MaxHandle) }

// GetAttrResult is the result of GETATTR. Attr counts with OK.
type GetAttrResult struct {
	Status Status
	Attr   Attr
}

func (r *GetAttrResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	if r.Status == OK {
		r.Attr.Encode(e)
	}
}

func (r *GetAttrResult) Decode(d *xdr.Decoder) {
	if r.Status = Status(d.Uint32()); r.Status == OK {
		r.Attr.Decode(d)
	}
}

// LookupResult is the result of LOOKUP, whose arguments are a DirOp. Object and Attr count with OK.
type LookupResult struct {
	Status  Status
	Object  Handle
	Attr    PostOpAttr
	DirAttr PostOpAttr
}

func (r *LookupResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	if r.Status == OK {
		e.Opaque(r.Object)
		encodePostOp(e, &r.Attr)
	}
	encodePostOp(e, &r.DirAttr)
}

func (r *LookupResult) Decode(d *xdr.Decoder) {
	*r = LookupResult{Status: Status(d.Uint32())}
	if r.Status == OK {
		r.Object = d.Opaque(MaxHandle)
		decodePostOp(d, &r.Attr)
	}
	decodePostOp(d, &r.DirAttr)
}

// Access is a set of what a user may do (RFC 1813 3.3.4).
type Access uint32

const (
	AccessRead Access = 1 << iota
	AccessLookup
	AccessModify
	AccessExtend
	AccessDelete
	AccessExecute
)

// AccessArgs are the arguments of ACCESS.
type AccessArgs struct {
	Object Handle
	Access Access
}

func (a *AccessArgs) Encode(e *xdr.Encoder) {
	e.Opaque(a.Object)
	e.Uint32(uint32(a.Access))
}

func (a *AccessArgs) Decode(d *xdr.Decoder) {
	a.Object = d.Opaque(MaxHandle)
	a.Access = Access(d.Uint32())
}

// AccessResult is the result of ACCESS. Access counts with OK.
type AccessResult struct {
	Status Status
	Attr   PostOpAttr
	Access Access
}

func (r *AccessResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	if r.Status == OK {
		e.Uint32(uint32(r.Access))
	}
}

func (r *AccessResult) Decode(d *xdr.Decoder) {
	*r = AccessResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status == OK {
		r.Access = Access(d.Uint32())
	}
}

// ReadLinkResult is the result of READLINK. Path counts with OK.
type ReadLinkResult struct {
	Status Status
	Attr   PostOpAttr
	Path   string
}

func (r *ReadLinkResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	if r.Status == OK {
		e.String(r.Path)
	}
}

func (r *ReadLinkResult) Decode(d *xdr.Decoder) {
	*r = ReadLinkResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status == OK {
		r.Path = decodeText(d, MaxPath)
	}
}
