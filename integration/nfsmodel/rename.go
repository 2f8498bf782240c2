package nfsmodel

import (
	"context"
	"errors"

	"forebay/protocols/nfs"
)

func (c *Checker) rename(ctx context.Context) error {
	from := place{dir: c.node(nfs.Directory)}
	from.name = c.nameIn(from.dir)
	to := place{c.node(nfs.Directory), c.name()}
	switch c.random.IntN(5) {
	case 0, 1:
		to.dir = from.dir
	case 2:
		to.name = c.nameIn(to.dir)
	}
	return c.renameTo(ctx, c.client(), from, to)
}

func (c *Checker) renameTo(ctx context.Context, cl *client, from, to place) error {
	s := c.begin(cl, []*node{from.at(), to.at(), from.dir, to.dir}, "RENAME %s to %s", from.path(), to.path())
	w := c.wantRename(cl, from, to)
	var r nfs.RenameResult
	if err := cl.do(ctx, nfs.ProcRename, &nfs.RenameArgs{From: from.op(), To: to.op()}, &r); errors.Is(err, errUnknown) {
		return c.settleRename(ctx, s, from, to)
	} else if err != nil {
		return err
	}
	s.status(r.Status, &w)
	dirs := []*node{from.dir, to.dir}
	wccs := []*nfs.WccData{&r.FromDir, &r.ToDir}
	for i, d := range dirs {
		if !d.dead {
			s.before(d, wccs[i])
		}
	}
	if r.Status == nfs.OK && !w.refused {
		c.renamed(from, to)
	}
	for i, d := range dirs {
		if !d.dead {
			s.see(d, &wccs[i].After)
		}
	}
	return s.end()
}

func (c *Checker) wantRename(cl *client, from, to place) (w want) {
	w.directory(c, cl, from.dir, write|execute)
	w.directory(c, cl, to.dir, write|execute)
	w.newName(from.name)
	w.newName(to.name)
	n, over := from.at(), to.at()
	if n != nil && over == n { // nothing is to be done, which a server may see before it looks at permissions
		w = want{}
		w.may(nfs.ErrAcces, nfs.ErrPerm)
		return w
	}
	switch {
	case n == nil:
		w.must(nfs.ErrNoEnt)
		w.may(nfs.ErrExist, nfs.ErrNotEmpty, nfs.ErrIsDir, nfs.ErrNotDir) // it may look at the other one first
		return w
	case n.kind == nfs.Directory && to.dir.within(n):
		w.must(nfs.ErrInval)
		w.may(nfs.ErrNotEmpty, nfs.ErrExist, nfs.ErrNotDir)
	case n.kind == nfs.Directory && from.dir != to.dir && !cl.permitted(n, write):
		w.may(nfs.ErrAcces, nfs.ErrPerm) // its ".." changes
	}
	if over != nil {
		w.replaced(n, over, from.dir)
	}
	return w
}

// replaced: n is renamed onto over.
func (w *want) replaced(n, over, from *node) {
	switch {
	case n.kind == nfs.Directory && over.kind != nfs.Directory:
		w.must(nfs.ErrNotDir, nfs.ErrExist)
	case n.kind != nfs.Directory && over.kind == nfs.Directory:
		w.must(nfs.ErrIsDir, nfs.ErrExist, nfs.ErrNotEmpty)
		if from.within(over) {
			w.may(nfs.ErrInval)
		}
	case over.kind == nfs.Directory && len(over.entries) > 0:
		w.must(nfs.ErrNotEmpty, nfs.ErrExist)
		if from.within(over) {
			w.may(nfs.ErrInval)
		}
	}
}

// renamed is what a RENAME does: nothing if both names are the same object's.
func (c *Checker) renamed(from, to place) {
	n := from.at()
	from.dir.changed()
	to.dir.changed()
	n.ctime.touch()
	if n.kind == nfs.Directory {
		n.mtime.touch()
	}
	over := to.at()
	if over == n {
		return
	}
	if over != nil {
		c.removed(to)
	}
	take(from)
	n.put(to)
	c.worked(n)
}
