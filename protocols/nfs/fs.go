package nfs

import "forebay/protocols/nfs/xdr"

// FSStatResult is the result of FSSTAT. All but Attr counts with OK.
type FSStatResult struct {
	Status                            Status
	Attr                              PostOpAttr
	TotalBytes, FreeBytes, AvailBytes uint64
	TotalFiles, FreeFiles, AvailFiles uint64
	InvariantSeconds                  uint32
}

func (r *FSStatResult) numbers() [6]*uint64 {
	return [...]*uint64{&r.TotalBytes, &r.FreeBytes, &r.AvailBytes, &r.TotalFiles, &r.FreeFiles, &r.AvailFiles}
}

func (r *FSStatResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	if r.Status != OK {
		return
	}
	for _, v := range r.numbers() {
		e.Uint64(*v)
	}
	e.Uint32(r.InvariantSeconds)
}

func (r *FSStatResult) Decode(d *xdr.Decoder) {
	*r = FSStatResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status != OK {
		return
	}
	for _, v := range r.numbers() {
		*v = d.Uint64()
	}
	r.InvariantSeconds = d.Uint32()
}

// Properties of a file system (RFC 1813 3.3.19).
const (
	HardLinks     uint32 = 0x01
	SymbolicLinks uint32 = 0x02
	Homogeneous   uint32 = 0x08 // PATHCONF is the same for all objects
	CanSetTime    uint32 = 0x10
)

// FSInfoResult is the result of FSINFO: transfer sizes in bytes, at most, preferred, and their unit. All but Attr counts with OK.
type FSInfoResult struct {
	Status                         Status
	Attr                           PostOpAttr
	ReadMax, ReadPref, ReadMult    uint32
	WriteMax, WritePref, WriteMult uint32
	ReadDirPref                    uint32
	MaxFileSize                    uint64
	TimeDelta                      Time
	Properties                     uint32
}

func (r *FSInfoResult) sizes() [7]*uint32 {
	return [...]*uint32{&r.ReadMax, &r.ReadPref, &r.ReadMult, &r.WriteMax, &r.WritePref, &r.WriteMult, &r.ReadDirPref}
}

func (r *FSInfoResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	if r.Status != OK {
		return
	}
	for _, v := range r.sizes() {
		e.Uint32(*v)
	}
	e.Uint64(r.MaxFileSize)
	r.TimeDelta.encode(e)
	e.Uint32(r.Properties)
}

func (r *FSInfoResult) Decode(d *xdr.Decoder) {
	*r = FSInfoResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status != OK {
		return
	}
	for _, v := range r.sizes() {
		*v = d.Uint32()
	}
	r.MaxFileSize = d.Uint64()
	r.TimeDelta.decode(d)
	r.Properties = d.Uint32()
}

// PathConfResult is the result of PATHCONF. All but Attr counts with OK.
type PathConfResult struct {
	Status           Status
	Attr             PostOpAttr
	LinkMax, NameMax uint32
	NoTrunc          bool // a name that is too long is refused, not cut
	ChownRestricted  bool
	CaseInsensitive  bool
	CasePreserving   bool
}

func (r *PathConfResult) flags() [4]*bool {
	return [...]*bool{&r.NoTrunc, &r.ChownRestricted, &r.CaseInsensitive, &r.CasePreserving}
}

func (r *PathConfResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	encodePostOp(e, &r.Attr)
	if r.Status != OK {
		return
	}
	e.Uint32(r.LinkMax)
	e.Uint32(r.NameMax)
	for _, v := range r.flags() {
		e.Bool(*v)
	}
}

func (r *PathConfResult) Decode(d *xdr.Decoder) {
	*r = PathConfResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status != OK {
		return
	}
	r.LinkMax, r.NameMax = d.Uint32(), d.Uint32()
	for _, v := range r.flags() {
		*v = d.Bool()
	}
}
