package server

import (
	"math"
	"strings"

	"forebay/protocols/nfs"
)

// handlesOf are the handles among arguments; the second one may be nil.
func handlesOf(a nfs.Message) (first, second *nfs.Handle) {
	switch a := a.(type) {
	case *nfs.HandleArgs:
		return &a.Object, nil
	case *nfs.SetAttrArgs:
		return &a.Object, nil
	case *nfs.DirOp:
		return &a.Dir, nil
	case *nfs.AccessArgs:
		return &a.Object, nil
	case *nfs.ReadArgs:
		return &a.File, nil
	case *nfs.WriteArgs:
		return &a.File, nil
	case *nfs.CommitArgs:
		return &a.File, nil
	case *nfs.RenameArgs:
		return &a.From.Dir, &a.To.Dir
	case *nfs.LinkArgs:
		return &a.File, &a.Link.Dir
	case *nfs.ReadDirArgs:
		return &a.Dir, nil
	case *nfs.ReadDirPlusArgs:
		return &a.Dir, nil
	}
	return &placeOf(a).Dir, nil
}

// placeOf is where a CREATE, MKDIR, SYMLINK, MKNOD or LINK makes a name; nil for others.
func placeOf(a nfs.Message) *nfs.DirOp {
	switch a := a.(type) {
	case *nfs.CreateArgs:
		return &a.Where
	case *nfs.MkdirArgs:
		return &a.Where
	case *nfs.SymlinkArgs:
		return &a.Where
	case *nfs.MknodArgs:
		return &a.Where
	case *nfs.LinkArgs:
		return &a.Link
	}
	return nil
}

// checkNames looks at the names among arguments.
func checkNames(p nfs.Procedure, a nfs.Message) nfs.Status {
	switch a := a.(type) {
	case *nfs.DirOp:
		return checkDirOp(p, a.Name)
	case *nfs.RenameArgs:
		if s := checkDirOp(p, a.From.Name); s != nfs.OK {
			return s
		}
		return checkDirOp(p, a.To.Name)
	case *nfs.SymlinkArgs:
		if a.Path == "" || strings.IndexByte(a.Path, 0) >= 0 {
			return nfs.ErrInval
		}
	}
	place := placeOf(a)
	switch {
	case place == nil:
		return nfs.OK
	case place.Name == "." || place.Name == "..":
		return nfs.ErrExist
	}
	return checkName(place.Name)
}

// checkDirOp looks at a name that is there, or is to be moved or removed (RFC 1813 3.3.12 to 3.3.14).
func checkDirOp(p nfs.Procedure, name string) nfs.Status {
	switch {
	case p == nfs.ProcLookup:
	case name == ".." && p == nfs.ProcRmdir:
		return nfs.ErrExist
	case name == "." || name == "..":
		return nfs.ErrInval
	}
	return checkName(name)
}

// checkName refuses what can't be a name (RFC 1813 3.2).
func checkName(name string) nfs.Status {
	switch {
	case name == "":
		return nfs.ErrAcces
	case strings.ContainsAny(name, "/\x00"):
		return nfs.ErrInval
	}
	return nfs.OK
}

// checkRange keeps what lies beyond the largest file that there can be away from file systems, which count in int64, and bounds what a
// call may ask for.
func checkRange(a nfs.Message) nfs.Status {
	switch a := a.(type) {
	case *nfs.ReadArgs:
		a.Count = min(a.Count, MaxTransfer)
		if beyond(a.Offset, int(a.Count)) {
			return nfs.ErrInval
		}
	case *nfs.WriteArgs:
		if beyond(a.Offset, len(a.Data)) {
			return nfs.ErrFBig
		}
		if len(a.Data) > MaxTransfer { // the client goes on with the rest
			a.Data = a.Data[:MaxTransfer]
		}
	case *nfs.CommitArgs:
		if beyond(a.Offset, int(a.Count)) {
			return nfs.ErrInval
		}
	case *nfs.SetAttrArgs:
		return checkSize(&a.Attr)
	case *nfs.CreateArgs:
		return checkSize(&a.Attr)
	case *nfs.ReadDirArgs:
		a.Count = min(a.Count, MaxTransfer)
	case *nfs.ReadDirPlusArgs:
		a.DirCount, a.MaxCount = min(a.DirCount, MaxTransfer), min(a.MaxCount, MaxTransfer)
	}
	return nfs.OK
}

func beyond(off uint64, n int) bool { return off > math.MaxInt64-uint64(n) }

func checkSize(a *nfs.SetAttr) nfs.Status {
	if a.Size.Follows && a.Size.Value > math.MaxInt64 {
		return nfs.ErrFBig
	}
	return nfs.OK
}
