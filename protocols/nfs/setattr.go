package nfs

import "forebay/protocols/nfs/xdr"

// TimeHow says what becomes of a time (time_how).
type TimeHow uint32

const (
	DontChange TimeHow = iota
	SetToServerTime
	SetToClientTime
)

// SetTime is a set_atime or set_mtime. Time counts with SetToClientTime.
type SetTime struct {
	How  TimeHow
	Time Time
}

func (s *SetTime) encode(e *xdr.Encoder) {
	e.Uint32(uint32(s.How))
	if s.How == SetToClientTime {
		s.Time.encode(e)
	}
}

func (s *SetTime) decode(d *xdr.Decoder) {
	*s = SetTime{How: TimeHow(d.Enum(uint32(SetToClientTime)))}
	if s.How == SetToClientTime {
		s.Time.decode(d)
	}
}

// SetAttr is a sattr3: the attributes to set; what isn't there stays.
type SetAttr struct {
	Mode, UID, GID Optional[uint32]
	Size           Optional[uint64]
	Atime, Mtime   SetTime
}

func (s *SetAttr) encode(e *xdr.Encoder) {
	for _, o := range []*Optional[uint32]{&s.Mode, &s.UID, &s.GID} {
		if e.Bool(o.Follows); o.Follows {
			e.Uint32(o.Value)
		}
	}
	if e.Bool(s.Size.Follows); s.Size.Follows {
		e.Uint64(s.Size.Value)
	}
	s.Atime.encode(e)
	s.Mtime.encode(e)
}

func (s *SetAttr) decode(d *xdr.Decoder) {
	for _, o := range []*Optional[uint32]{&s.Mode, &s.UID, &s.GID} {
		if *o = (Optional[uint32]{Follows: d.Bool()}); o.Follows {
			o.Value = d.Uint32()
		}
	}
	if s.Size = (Optional[uint64]{Follows: d.Bool()}); s.Size.Follows {
		s.Size.Value = d.Uint64()
	}
	s.Atime.decode(d)
	s.Mtime.decode(d)
}

// SetAttrArgs are the arguments of SETATTR. With a Guard, nothing is done unless the object's ctime equals it (NFS3ERR_NOT_SYNC).
type SetAttrArgs struct {
	Object Handle
	Attr   SetAttr
	Guard  Optional[Time]
}

func (a *SetAttrArgs) Encode(e *xdr.Encoder) {
	e.Opaque(a.Object)
	a.Attr.encode(e)
	if e.Bool(a.Guard.Follows); a.Guard.Follows {
		a.Guard.Value.encode(e)
	}
}

func (a *SetAttrArgs) Decode(d *xdr.Decoder) {
	a.Object = d.Opaque(MaxHandle)
	a.Attr.decode(d)
	if a.Guard = (Optional[Time]{Follows: d.Bool()}); a.Guard.Follows {
		a.Guard.Value.decode(d)
	}
}

// WccResult is the result of SETATTR (of the object), REMOVE and RMDIR (of the directory).
type WccResult struct {
	Status Status
	Wcc    WccData
}

func (r *WccResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	r.Wcc.Encode(e)
}

func (r *WccResult) Decode(d *xdr.Decoder) {
	r.Status = Status(d.Uint32())
	r.Wcc.Decode(d)
}
