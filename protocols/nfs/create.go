package nfs

import "forebay/protocols/nfs/xdr"

// CreateMode is a createmode3.
type CreateMode uint32

const (
	Unchecked CreateMode = iota
	Guarded
	Exclusive
)

// CreateArgs are the arguments of CREATE. Verifier counts with Exclusive, Attr without.
type CreateArgs struct {
	Where    DirOp
	Mode     CreateMode
	Attr     SetAttr
	Verifier Verifier
}

func (a *CreateArgs) Encode(e *xdr.Encoder) {
	a.Where.Encode(e)
	e.Uint32(uint32(a.Mode))
	if a.Mode == Exclusive {
		a.Verifier.encode(e)
	} else {
		a.Attr.encode(e)
	}
}

func (a *CreateArgs) Decode(d *xdr.Decoder) {
	*a = CreateArgs{}
	a.Where.Decode(d)
	a.Mode = CreateMode(d.Enum(uint32(Exclusive)))
	if a.Mode == Exclusive {
		a.Verifier.decode(d)
	} else {
		a.Attr.decode(d)
	}
}

// MkdirArgs are the arguments of MKDIR.
type MkdirArgs struct {
	Where DirOp
	Attr  SetAttr
}

func (a *MkdirArgs) Encode(e *xdr.Encoder) {
	a.Where.Encode(e)
	a.Attr.encode(e)
}

func (a *MkdirArgs) Decode(d *xdr.Decoder) {
	a.Where.Decode(d)
	a.Attr.decode(d)
}

// SymlinkArgs are the arguments of SYMLINK.
type SymlinkArgs struct {
	Where DirOp
	Attr  SetAttr
	Path  string
}

func (a *SymlinkArgs) Encode(e *xdr.Encoder) {
	a.Where.Encode(e)
	a.Attr.encode(e)
	e.String(a.Path)
}

func (a *SymlinkArgs) Decode(d *xdr.Decoder) {
	a.Where.Decode(d)
	a.Attr.decode(d)
	a.Path = decodeText(d, MaxPath)
}

// MknodArgs are the arguments of MKNOD. Attr counts with devices, sockets and FIFOs, Device with devices. Other types are well-formed
// (NFS3ERR_BADTYPE).
type MknodArgs struct {
	Where  DirOp
	Type   FileType
	Attr   SetAttr
	Device Device
}

func (a *MknodArgs) Encode(e *xdr.Encoder) {
	a.Where.Encode(e)
	e.Uint32(uint32(a.Type))
	switch a.Type {
	case BlockDevice, CharacterDevice:
		a.Attr.encode(e)
		e.Uint32(a.Device.Major)
		e.Uint32(a.Device.Minor)
	case Socket, FIFO:
		a.Attr.encode(e)
	}
}

func (a *MknodArgs) Decode(d *xdr.Decoder) {
	*a = MknodArgs{}
	a.Where.Decode(d)
	a.Type = FileType(d.Enum(uint32(FIFO)))
	switch a.Type {
	case BlockDevice, CharacterDevice:
		a.Attr.decode(d)
		a.Device = Device{d.Uint32(), d.Uint32()}
	case Socket, FIFO:
		a.Attr.decode(d)
	}
}

// CreateResult is the result of CREATE, MKDIR, SYMLINK and MKNOD. Object and Attr count with OK.
type CreateResult struct {
	Status Status
	Object Optional[Handle]
	Attr   PostOpAttr
	DirWcc WccData
}

func (r *CreateResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	if r.Status == OK {
		encodeHandle(e, &r.Object)
		encodePostOp(e, &r.Attr)
	}
	r.DirWcc.Encode(e)
}

func (r *CreateResult) Decode(d *xdr.Decoder) {
	*r = CreateResult{Status: Status(d.Uint32())}
	if r.Status == OK {
		decodeHandle(d, &r.Object)
		decodePostOp(d, &r.Attr)
	}
	r.DirWcc.Decode(d)
}
