package nfstest

import "forebay/protocols/nfs"

// Sample is arguments that are good for a procedure: of the file f in the directory dir, both with handles, where there is a directory d, too.
func Sample(p nfs.Procedure, dir, f nfs.Handle) nfs.Message {
	a, _ := nfs.NewMessages(p)
	name := nfs.DirOp{Dir: dir, Name: "sample"}
	switch a := a.(type) {
	case *nfs.HandleArgs:
		if a.Object = f; p == nfs.ProcReadLink {
			a.Object = dir
		}
	case *nfs.AccessArgs:
		a.Object = f
	case *nfs.SetAttrArgs:
		a.Object, a.Attr.Mode = f, nfs.Some[uint32](0o600)
	case *nfs.ReadArgs:
		a.File, a.Count = f, 4
	case *nfs.WriteArgs:
		a.File, a.Data = f, []byte("data")
	case *nfs.CommitArgs:
		a.File = f
	case *nfs.DirOp:
		*a = nfs.DirOp{Dir: dir, Name: "f"}
		if p == nfs.ProcRmdir {
			a.Name = "d"
		}
	case *nfs.CreateArgs:
		a.Where = name
	case *nfs.MkdirArgs:
		a.Where = name
	case *nfs.SymlinkArgs:
		a.Where, a.Path = name, "target"
	case *nfs.MknodArgs:
		a.Where, a.Type = name, nfs.FIFO
	case *nfs.LinkArgs:
		a.File, a.Link = f, name
	case *nfs.RenameArgs:
		*a = nfs.RenameArgs{From: nfs.DirOp{Dir: dir, Name: "f"}, To: name}
	case *nfs.ReadDirArgs:
		a.Dir, a.Count = dir, 4096
	case *nfs.ReadDirPlusArgs:
		a.Dir, a.DirCount, a.MaxCount = dir, 4096, 4096
	}
	return a
}
