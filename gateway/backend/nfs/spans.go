package nfs

import (
	"crypto/sha256"
	"math"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/xdr"
)

// idOf names a request: two with the same name are copies of one another.
func idOf(p wire.Procedure, a interface{ Encode(*xdr.Encoder) }, data []byte) string {
	e := xdr.NewEncoder(make([]byte, 0, 256))
	e.Uint32(uint32(p))
	a.Encode(&e)
	if len(data) > 0 {
		sum := sha256.Sum256(data)
		e.Fixed(sum[:])
	}
	return string(e.Bytes())
}

const someBytes = "bytes "

// The kinds of things that spans are of, beside bytes of files. A handle has at most 64 bytes, so that no two kinds meet.
func bytesOf(h wire.Handle, from, to uint64) span { return span{someBytes + string(h), from, to} }
func attrsOf(h wire.Handle) span                  { return all("attributes " + string(h)) }
func nameOf(o *wire.DirOp) span {
	return all("name " + string(rune(len(o.Dir))) + string(o.Dir) + o.Name)
}

// touches says what a procedure other than READ and WRITE changes.
func touches(p wire.Procedure, a wire.Message) []span {
	switch a := a.(type) {
	case *wire.SetAttrArgs:
		list := []span{attrsOf(a.Object)}
		if a.Attr.Size.Follows {
			list = append(list, bytesOf(a.Object, a.Attr.Size.Value, math.MaxUint64))
		}
		return list
	case *wire.CreateArgs:
		return []span{nameOf(&a.Where)}
	case *wire.MkdirArgs:
		return []span{nameOf(&a.Where)}
	case *wire.SymlinkArgs:
		return []span{nameOf(&a.Where)}
	case *wire.MknodArgs:
		return []span{nameOf(&a.Where)}
	case *wire.DirOp:
		if p != wire.ProcLookup {
			return []span{nameOf(a)}
		}
	case *wire.RenameArgs:
		return []span{nameOf(&a.From), nameOf(&a.To)}
	case *wire.LinkArgs:
		return []span{nameOf(&a.Link)}
	}
	return nil
}

// unseen is what a procedure may change beside that, nobody knows where: a CREATE may cut a file that is there.
func unseen(a wire.Message) []span {
	if create, ok := a.(*wire.CreateArgs); ok && create.Mode == wire.Unchecked && create.Attr.Size.Follows {
		return []span{{anything, create.Attr.Size.Value, math.MaxUint64}}
	}
	return nil
}

// cuts is what a CREATE may still do to a file when a copy of it comes late: cut it. Which one nobody knows unless it was answered.
func cuts(a wire.Message, r wire.Message) []span {
	list := unseen(a)
	made, ok := r.(*wire.CreateResult)
	if !ok || !made.Object.Follows {
		return list
	}
	for i := range list {
		list[i].of = bytesOf(made.Object.Value, 0, 0).of
	}
	return list
}
