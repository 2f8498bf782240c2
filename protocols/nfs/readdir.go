package nfs

import (
	"math"

	"forebay/protocols/nfs/xdr"
)

// ReadDirArgs are the arguments of READDIR. Count bounds the READDIR3resok, in bytes.
type ReadDirArgs struct {
	Dir      Handle
	Cookie   uint64
	Verifier Verifier
	Count    uint32
}

func (a *ReadDirArgs) Encode(e *xdr.Encoder) {
	e.Opaque(a.Dir)
	e.Uint64(a.Cookie)
	a.Verifier.encode(e)
	e.Uint32(a.Count)
}

func (a *ReadDirArgs) Decode(d *xdr.Decoder) {
	a.Dir = d.Opaque(MaxHandle)
	a.Cookie = d.Uint64()
	a.Verifier.decode(d)
	a.Count = d.Uint32()
}

// ReadDirPlusArgs are the arguments of READDIRPLUS. MaxCount bounds the READDIRPLUS3resok, DirCount what of it is file ids, names and
// cookies, both in bytes.
type ReadDirPlusArgs struct {
	Dir                Handle
	Cookie             uint64
	Verifier           Verifier
	DirCount, MaxCount uint32
}

func (a *ReadDirPlusArgs) Encode(e *xdr.Encoder) {
	e.Opaque(a.Dir)
	e.Uint64(a.Cookie)
	a.Verifier.encode(e)
	e.Uint32(a.DirCount)
	e.Uint32(a.MaxCount)
}

func (a *ReadDirPlusArgs) Decode(d *xdr.Decoder) {
	a.Dir = d.Opaque(MaxHandle)
	a.Cookie = d.Uint64()
	a.Verifier.decode(d)
	a.DirCount, a.MaxCount = d.Uint32(), d.Uint32()
}

// Entry is an entry3.
type Entry struct {
	FileID uint64
	Name   string
	Cookie uint64
}

func (n *Entry) encode(e *xdr.Encoder) {
	e.Uint64(n.FileID)
	e.String(n.Name)
	e.Uint64(n.Cookie)
}

func (n *Entry) decode(d *xdr.Decoder) {
	n.FileID = d.Uint64()
	n.Name = decodeText(d, MaxName)
	n.Cookie = d.Uint64()
}

// EntryPlus is an entryplus3.
type EntryPlus struct {
	Entry
	Attr   PostOpAttr
	Handle Optional[Handle]
}

func (n *EntryPlus) encode(e *xdr.Encoder) {
	n.Entry.encode(e)
	encodePostOp(e, &n.Attr)
	encodeHandle(e, &n.Handle)
}

func (n *EntryPlus) decode(d *xdr.Decoder) {
	n.Entry.decode(d)
	decodePostOp(d, &n.Attr)
	decodeHandle(d, &n.Handle)
}

// ReadDirResult is the result of READDIR. All but Attr counts with OK. A server that minds the client's count uses a Listing.
type ReadDirResult struct {
	Status   Status
	Attr     PostOpAttr
	Verifier Verifier
	Entries  []Entry
	EOF      bool // the last entry is the directory's last
}

func (r *ReadDirResult) Encode(e *xdr.Encoder) {
	if r.Status != OK {
		encodeNoListing(e, r.Status, &r.Attr)
		return
	}
	l := StartListing(e, &r.Attr, r.Verifier, math.MaxUint32, math.MaxUint32)
	for i := range r.Entries {
		l.Add(&r.Entries[i])
	}
	l.Finish(r.EOF)
}

func (r *ReadDirResult) Decode(d *xdr.Decoder) {
	*r = ReadDirResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status != OK {
		return
	}
	r.Verifier.decode(d)
	for d.Bool() {
		r.Entries = append(r.Entries, Entry{})
		r.Entries[len(r.Entries)-1].decode(d)
	}
	r.EOF = d.Bool()
}

// ReadDirPlusResult is the result of READDIRPLUS. All but Attr counts with OK. A server that minds the client's counts uses a Listing.
type ReadDirPlusResult struct {
	Status   Status
	Attr     PostOpAttr
	Verifier Verifier
	Entries  []EntryPlus
	EOF      bool
}

func (r *ReadDirPlusResult) Encode(e *xdr.Encoder) {
	if r.Status != OK {
		encodeNoListing(e, r.Status, &r.Attr)
		return
	}
	l := StartListing(e, &r.Attr, r.Verifier, math.MaxUint32, math.MaxUint32)
	for i := range r.Entries {
		l.AddPlus(&r.Entries[i])
	}
	l.Finish(r.EOF)
}

func (r *ReadDirPlusResult) Decode(d *xdr.Decoder) {
	*r = ReadDirPlusResult{Status: Status(d.Uint32())}
	decodePostOp(d, &r.Attr)
	if r.Status != OK {
		return
	}
	r.Verifier.decode(d)
	for d.Bool() {
		r.Entries = append(r.Entries, EntryPlus{})
		r.Entries[len(r.Entries)-1].decode(d)
	}
	r.EOF = d.Bool()
}
