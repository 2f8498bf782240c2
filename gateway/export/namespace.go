package export

import (
	"context"

	"forebay/protocols/nfs"
)

// entries are names of a directory that are being changed: they are not remembered from before the array is asked on, and what was behind
// them is changing too, as others may use it by its handle.
type entries struct {
	export  *Export
	dir     *node
	begun   change
	objects []*node
}

// name is a name that is about to change, with what is behind it; nil: nothing, or it doesn't matter.
type name struct {
	string
	behind nfs.Handle
}

// beginEntries comes before a change of names.
func (e *Export) beginEntries(dir nfs.Handle, names ...name) *entries {
	x := &entries{export: e, dir: e.table.use(dir)}
	x.dir.mu.Lock()
	x.begun = x.dir.mu.view.begin()
	for _, name := range names {
		delete(x.dir.mu.names, name.string)
	}
	x.dir.mu.Unlock()
	for _, name := range names {
		if name.behind != nil {
			n := e.table.use(name.behind)
			n.begin()
			x.objects = append(x.objects, n)
		}
	}
	return x
}

// end takes in what the array said of the directory, or, with an error, nothing.
func (x *entries) end(err error, wcc *nfs.WccData) {
	defer x.export.table.letGo(x.dir)
	if err != nil {
		x.dir.abandon()
	} else {
		x.dir.end(x.begun, wcc, 0, x.export.until())
	}
	for _, n := range x.objects {
		n.relink()
		x.export.table.letGo(n)
	}
}

// enter remembers a name that a change of ours made, unless there was another change meanwhile. It comes after end.
func (x *entries) enter(name string, h nfs.Handle) {
	n := x.dir
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.view.turns == x.begun.turns+1 {
		n.mu.names.enter(name, h)
	}
}

// relink is the end of a change of ours of an object's names, of which the array has said nothing. It changes no content: where nothing but the
// ctime has moved when the array is asked next, what is cached stays.
func (n *node) relink() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.view.abandon()
	n.mu.view.relinked = true
}

// create is CREATE, MKDIR, SYMLINK and MKNOD. A CREATE of a file that is there already may truncate it.
func (e *Export) create(ctx context.Context, c *nfs.Caller, p nfs.Procedure, where nfs.DirOp, a nfs.Message, r *nfs.CreateResult) error {
	x := e.beginEntries(where.Dir, name{string: where.Name})
	asked := e.table.turns.Load()
	err := e.ask(ctx, c, p, a, r)
	made := err == nil && r.Status == nfs.OK && r.Object.Follows
	if made {
		n := e.table.use(r.Object.Value)
		defer e.table.letGo(n)
		n.replaced()
		e.meet(n.handle, asked, &r.Attr)
	}
	x.end(err, &r.DirWcc)
	if made {
		x.enter(where.Name, r.Object.Value)
	}
	return err
}

// replaced forgets what is known of a file that a CREATE may have truncated.
func (n *node) replaced() {
	n.mu.Lock()
	fresh := n.mu.view == (view{})
	n.mu.Unlock()
	if !fresh {
		n.drop()
	}
}

// find looks up what is behind a name that is about to lead elsewhere.
func (e *Export) find(ctx context.Context, c *nfs.Caller, a *nfs.DirOp) (name, error) {
	found := name{string: a.Name}
	if e.opts.AttributeCache == 0 {
		return found, nil // nothing is taken for true that isn't asked for
	}
	n := e.table.use(a.Dir)
	defer e.table.letGo(n)
	n.mu.Lock()
	found.behind = n.mu.names[a.Name]
	n.mu.Unlock()
	if found.behind != nil {
		return found, nil
	}
	var r nfs.LookupResult
	err := e.lookup(ctx, c, a, &r)
	if err == nil && r.Status == nfs.OK {
		found.behind = r.Object
	}
	return found, err
}

// remove is REMOVE and RMDIR.
func (e *Export) remove(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a *nfs.DirOp, r *nfs.WccResult) error {
	victim, err := e.find(ctx, c, a)
	if err != nil {
		return err
	}
	x := e.beginEntries(a.Dir, victim)
	err = e.ask(ctx, c, p, a, r)
	x.end(err, &r.Wcc)
	return err
}

func (e *Export) rename(ctx context.Context, c *nfs.Caller, a *nfs.RenameArgs, r *nfs.RenameResult) error {
	moved, err := e.find(ctx, c, &a.From)
	if err != nil {
		return err
	}
	replaced, err := e.find(ctx, c, &a.To)
	if err != nil {
		return err
	}
	if string(a.From.Dir) == string(a.To.Dir) {
		x := e.beginEntries(a.From.Dir, moved, replaced)
		err := e.ask(ctx, c, nfs.ProcRename, a, r)
		x.end(err, &r.ToDir)
		return err
	}
	from, to := e.beginEntries(a.From.Dir, moved), e.beginEntries(a.To.Dir, replaced)
	err = e.ask(ctx, c, nfs.ProcRename, a, r)
	from.end(err, &r.FromDir)
	to.end(err, &r.ToDir)
	return err
}

func (e *Export) link(ctx context.Context, c *nfs.Caller, a *nfs.LinkArgs, r *nfs.LinkResult) error {
	x := e.beginEntries(a.Link.Dir, name{string: a.Link.Name})
	n := e.table.use(a.File)
	defer e.table.letGo(n)
	n.begin()
	err := e.ask(ctx, c, nfs.ProcLink, a, r)
	n.relink()
	x.end(err, &r.DirWcc)
	if err == nil && r.Status == nfs.OK {
		x.enter(a.Link.Name, n.handle)
	}
	return err
}
