package directory

import (
	"context"
	"errors"
	"fmt"

	"forebay/protocols/nfs"
)

var errClosed = errors.New("the folder is given up")

// Do executes a procedure. It doesn't end before the kernel has: ctx only keeps it from beginning.
func (d *Directory) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.closed {
		return fmt.Errorf("%v on %s: %w: %w", p, d.path, nfs.ErrAway, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%v on %s: %w: %w", p, d.path, nfs.ErrAway, err)
	}
	if p == nfs.ProcNull || p >= nfs.Procedures {
		return fmt.Errorf("%v is no procedure of a file system", p)
	}
	err := d.execute(c, p, a, r)
	*nfs.StatusOf(r) = statusOf(err)
	return nil
}

func (d *Directory) execute(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	switch p {
	case nfs.ProcGetAttr:
		return d.getAttr(a.(*nfs.HandleArgs), r.(*nfs.GetAttrResult))
	case nfs.ProcSetAttr:
		return d.setAttr(c, a.(*nfs.SetAttrArgs), r.(*nfs.WccResult))
	case nfs.ProcLookup:
		return d.lookup(c, a.(*nfs.DirOp), r.(*nfs.LookupResult))
	case nfs.ProcAccess:
		return d.access(c, a.(*nfs.AccessArgs), r.(*nfs.AccessResult))
	case nfs.ProcReadLink:
		return d.readLink(a.(*nfs.HandleArgs), r.(*nfs.ReadLinkResult))
	case nfs.ProcRead:
		return d.read(c, a.(*nfs.ReadArgs), r.(*nfs.ReadResult))
	case nfs.ProcWrite:
		return d.write(c, a.(*nfs.WriteArgs), r.(*nfs.WriteResult))
	case nfs.ProcCommit:
		return d.commit(c, a.(*nfs.CommitArgs), r.(*nfs.CommitResult))
	case nfs.ProcCreate:
		return d.create(c, a.(*nfs.CreateArgs), r.(*nfs.CreateResult))
	case nfs.ProcMkdir:
		return d.mkdir(c, a.(*nfs.MkdirArgs), r.(*nfs.CreateResult))
	case nfs.ProcSymlink:
		return d.symlink(c, a.(*nfs.SymlinkArgs), r.(*nfs.CreateResult))
	case nfs.ProcMknod:
		return d.mknod(c, a.(*nfs.MknodArgs), r.(*nfs.CreateResult))
	}
	return d.executeMore(c, p, a, r)
}

// executeMore are the procedures of names and of the file system.
func (d *Directory) executeMore(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	switch p {
	case nfs.ProcRemove:
		return d.remove(c, a.(*nfs.DirOp), r.(*nfs.WccResult))
	case nfs.ProcRmdir:
		return d.rmdir(c, a.(*nfs.DirOp), r.(*nfs.WccResult))
	case nfs.ProcRename:
		return d.rename(c, a.(*nfs.RenameArgs), r.(*nfs.RenameResult))
	case nfs.ProcLink:
		return d.link(c, a.(*nfs.LinkArgs), r.(*nfs.LinkResult))
	case nfs.ProcReadDir:
		return d.readDir(c, a.(*nfs.ReadDirArgs), r.(*nfs.ReadDirResult))
	case nfs.ProcReadDirPlus:
		return d.readDirPlus(c, a.(*nfs.ReadDirPlusArgs), r.(*nfs.ReadDirPlusResult))
	case nfs.ProcFSStat:
		return d.fsStat(a.(*nfs.HandleArgs), r.(*nfs.FSStatResult))
	case nfs.ProcFSInfo:
		return d.fsInfo(a.(*nfs.HandleArgs), r.(*nfs.FSInfoResult))
	case nfs.ProcPathConf:
		return d.pathConf(a.(*nfs.HandleArgs), r.(*nfs.PathConfResult))
	}
	return nfs.ErrNotSupp
}
