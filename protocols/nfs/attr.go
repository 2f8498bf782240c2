package nfs

import (
	"encoding/binary"

	"forebay/protocols/nfs/xdr"
)

// FileType is an ftype3.
type FileType uint32

const (
	Regular FileType = iota + 1
	Directory
	BlockDevice
	CharacterDevice
	SymbolicLink
	Socket
	FIFO
)

// Attr is a fattr3.
type Attr struct {
	Type                FileType
	Mode, Nlink         uint32
	UID, GID            uint32
	Size, Used          uint64 // bytes
	Rdev                Device
	FSID, FileID        uint64
	Atime, Mtime, Ctime Time
}

const attrLength = 84

// Encode appends the attributes, 84 bytes.
func (a *Attr) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(a.Type))
	e.Uint32(a.Mode)
	e.Uint32(a.Nlink)
	e.Uint32(a.UID)
	e.Uint32(a.GID)
	e.Uint64(a.Size)
	e.Uint64(a.Used)
	e.Uint32(a.Rdev.Major)
	e.Uint32(a.Rdev.Minor)
	e.Uint64(a.FSID)
	e.Uint64(a.FileID)
	a.Atime.encode(e)
	a.Mtime.encode(e)
	a.Ctime.encode(e)
}

// Decode reads the attributes, with one check of the length: they are in nearly every result.
func (a *Attr) Decode(d *xdr.Decoder) {
	p := d.Fixed(attrLength)
	if p == nil {
		*a = Attr{}
		return
	}
	u32, u64 := binary.BigEndian.Uint32, binary.BigEndian.Uint64
	a.Type = FileType(u32(p))
	a.Mode, a.Nlink, a.UID, a.GID = u32(p[4:]), u32(p[8:]), u32(p[12:]), u32(p[16:])
	a.Size, a.Used = u64(p[20:]), u64(p[28:])
	a.Rdev = Device{u32(p[36:]), u32(p[40:])}
	a.FSID, a.FileID = u64(p[44:]), u64(p[52:])
	a.Atime = Time{u32(p[60:]), u32(p[64:])}
	a.Mtime = Time{u32(p[68:]), u32(p[72:])}
	a.Ctime = Time{u32(p[76:]), u32(p[80:])}
	if a.Type < Regular || a.Type > FIFO {
		d.Fail(xdr.ErrInvalid)
	}
}

// PostOpAttr is a post_op_attr: the attributes after the operation, where the server had them at hand.
type PostOpAttr = Optional[Attr]

func encodePostOp(e *xdr.Encoder, a *PostOpAttr) {
	e.Bool(a.Follows)
	if a.Follows {
		a.Value.Encode(e)
	}
}

func decodePostOp(d *xdr.Decoder, a *PostOpAttr) {
	if a.Follows = d.Bool(); a.Follows {
		a.Value.Decode(d)
	} else {
		a.Value = Attr{}
	}
}

// WccAttr is a wcc_attr: what weak cache consistency compares.
type WccAttr struct {
	Size         uint64
	Mtime, Ctime Time
}

// WccData is a wcc_data: an object before and after an operation, taken atomically with it if Before is there.
type WccData struct {
	Before Optional[WccAttr]
	After  PostOpAttr
}

// Encode appends w.
func (w *WccData) Encode(e *xdr.Encoder) {
	e.Bool(w.Before.Follows)
	if b := &w.Before; b.Follows {
		e.Uint64(b.Value.Size)
		b.Value.Mtime.encode(e)
		b.Value.Ctime.encode(e)
	}
	encodePostOp(e, &w.After)
}

// Decode reads w.
func (w *WccData) Decode(d *xdr.Decoder) {
	w.Before = Optional[WccAttr]{Follows: d.Bool()}
	if b := &w.Before; b.Follows {
		b.Value.Size = d.Uint64()
		b.Value.Mtime.decode(d)
		b.Value.Ctime.decode(d)
	}
	decodePostOp(d, &w.After)
}
