package export

import (
	"context"
	"time"

	"forebay/protocols/nfs"
)

// create is CREATE, MKDIR, SYMLINK and MKNOD. A CREATE of a file that is there already truncates it if it has a size; then what is known of it is
// worthless, as WRITEs of it may have been executed before and after.
func (e *Export) create(ctx context.Context, c *nfs.Caller, p nfs.Procedure, where nfs.DirOp, a nfs.Message, r *nfs.CreateResult) error {
	x, err := e.claim(ctx, where)
	if err != nil {
		return err
	}
	defer x.release()
	x.begin(nil)
	asked := e.table.turns.Load()
	err = e.ask(ctx, c, p, a, r)
	made := err == nil && r.Status == nfs.OK && r.Object.Follows
	switch truncated := truncates(a); {
	case made:
		e.made(r, asked, truncated)
	case truncated && (err != nil || r.Status == nfs.OK):
		e.dropAll() // nobody says which file it was
	}
	x.end(err, &r.DirWcc)
	if made {
		x.enter(r.Object.Value)
	}
	return err
}

func truncates(a nfs.Message) bool {
	create, ok := a.(*nfs.CreateArgs)
	return ok && create.Mode == nfs.Unchecked && create.Attr.Size.Follows
}

// made notes that an object was made, or was there and may have been truncated. Whatever is being asked about it may be older.
func (e *Export) made(r *nfs.CreateResult, asked uint64, truncated bool) {
	n := e.table.use(r.Object.Value)
	defer e.table.letGo(n)
	now := time.Now()
	n.mu.Lock()
	first := n.isFirst(asked)
	if truncated {
		n.mu.view.drop()
		n.forget()
	} else {
		n.mu.view.outdate()
	}
	q := n.question(now)
	n.mu.Unlock()
	e.tell(n.handle)
	if first {
		e.note(n, &q, &r.Attr)
	}
}

// find looks up what is behind a name that is about to lead elsewhere, and that nobody else may change meanwhile.
func (e *Export) find(ctx context.Context, c *nfs.Caller, a *nfs.DirOp) (nfs.Handle, error) {
	if e.opts.AttributeCache == 0 {
		return nil, nil // nothing is taken for true that isn't asked for
	}
	if dir := e.table.find(a.Dir); dir != nil {
		if h, _ := dir.remembered(c, a.Name, time.Now()); h != nil {
			return h, nil
		}
	}
	var r nfs.LookupResult
	if err := e.lookup(ctx, c, a, &r); err != nil {
		return nil, err
	}
	switch r.Status {
	case nfs.OK:
		return r.Object, nil
	case nfs.ErrJukebox, nfs.ErrIO, nfs.ErrServerFault: // the change may succeed all the same, of what nobody knows
		return nil, r.Status
	}
	return nil, nil
}

// remove is REMOVE and RMDIR.
func (e *Export) remove(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a *nfs.DirOp, r *nfs.WccResult) error {
	x, err := e.claim(ctx, *a)
	if err != nil {
		return err
	}
	defer x.release()
	victim, err := e.find(ctx, c, a)
	if err != nil {
		return err
	}
	x.begin(victim)
	err = e.ask(ctx, c, p, a, r)
	x.end(err, &r.Wcc)
	return err
}

func (e *Export) rename(ctx context.Context, c *nfs.Caller, a *nfs.RenameArgs, r *nfs.RenameResult) error {
	from, to, err := e.claimTwo(ctx, a.From, a.To)
	if err != nil {
		return err
	}
	defer from.release()
	defer to.release()
	moved, err := e.find(ctx, c, &a.From)
	if err != nil {
		return err
	}
	replaced, err := e.find(ctx, c, &a.To)
	if err != nil {
		return err
	}
	if to != nil {
		to.within = to.dir == from.dir
	}
	from.begin(moved)
	to.begin(replaced)
	err = e.ask(ctx, c, nfs.ProcRename, a, r)
	from.end(err, &r.FromDir)
	to.end(err, &r.ToDir)
	return err
}

func (e *Export) link(ctx context.Context, c *nfs.Caller, a *nfs.LinkArgs, r *nfs.LinkResult) error {
	x, err := e.claim(ctx, a.Link)
	if err != nil {
		return err
	}
	defer x.release()
	x.begin(a.File)
	err = e.ask(ctx, c, nfs.ProcLink, a, r)
	x.end(err, &r.DirWcc)
	if err == nil && r.Status == nfs.OK {
		x.enter(a.File)
	}
	return err
}
