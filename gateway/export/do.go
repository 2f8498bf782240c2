package export

import (
	"context"

	"forebay/protocols/nfs"
)

// Do implements server.FileSystem.
func (e *Export) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	return e.answer(e.do(ctx, c, p, a, r))
}

func (e *Export) do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	switch p {
	case nfs.ProcGetAttr:
		return e.getAttr(ctx, c, a.(*nfs.HandleArgs), r.(*nfs.GetAttrResult))
	case nfs.ProcSetAttr:
		return e.setAttr(ctx, c, a.(*nfs.SetAttrArgs), r.(*nfs.WccResult))
	case nfs.ProcLookup:
		return e.lookup(ctx, c, a.(*nfs.DirOp), r.(*nfs.LookupResult))
	case nfs.ProcAccess:
		return e.access(ctx, c, a.(*nfs.AccessArgs), r.(*nfs.AccessResult))
	case nfs.ProcWrite:
		return e.write(ctx, c, a.(*nfs.WriteArgs), r.(*nfs.WriteResult))
	case nfs.ProcCommit:
		return e.commit(ctx, c, a.(*nfs.CommitArgs), r.(*nfs.CommitResult))
	case nfs.ProcCreate:
		a := a.(*nfs.CreateArgs)
		return e.create(ctx, c, p, a.Where, a, r.(*nfs.CreateResult))
	case nfs.ProcMkdir:
		a := a.(*nfs.MkdirArgs)
		return e.create(ctx, c, p, a.Where, a, r.(*nfs.CreateResult))
	case nfs.ProcSymlink:
		a := a.(*nfs.SymlinkArgs)
		return e.create(ctx, c, p, a.Where, a, r.(*nfs.CreateResult))
	case nfs.ProcMknod:
		a := a.(*nfs.MknodArgs)
		return e.create(ctx, c, p, a.Where, a, r.(*nfs.CreateResult))
	case nfs.ProcRemove, nfs.ProcRmdir:
		return e.remove(ctx, c, p, a.(*nfs.DirOp), r.(*nfs.WccResult))
	case nfs.ProcRename:
		return e.rename(ctx, c, a.(*nfs.RenameArgs), r.(*nfs.RenameResult))
	case nfs.ProcLink:
		return e.link(ctx, c, a.(*nfs.LinkArgs), r.(*nfs.LinkResult))
	default: // what reads and isn't cached
		return e.ask(ctx, c, p, a, r)
	}
}

// Now implements server.FileSystem.
func (e *Export) Now(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) bool {
	switch p {
	case nfs.ProcGetAttr:
		return e.getAttrNow(a.(*nfs.HandleArgs), r.(*nfs.GetAttrResult))
	case nfs.ProcLookup:
		return e.lookupNow(c, a.(*nfs.DirOp), r.(*nfs.LookupResult))
	case nfs.ProcAccess:
		return e.accessNow(c, a.(*nfs.AccessArgs), r.(*nfs.AccessResult))
	default:
		return false
	}
}
