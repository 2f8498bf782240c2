package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"forebay/protocols/nfs"
)

// Checker is a model and the clients that hold a server to it. One goroutine at a time uses it.
type Checker struct {
	opts    Options
	clients []*client
	random  *rand.Rand
	count   int // steps so far
	root    nfs.Handle

	base   *node   // the folder that it works in
	live   []*node // what is there, base first
	dead   []*node // what was removed last: its handles are stale
	recent []*node // what was worked on last
	cursor *cursor // a listing under way

	fsid     uint64
	verifier *nfs.Verifier // of writes; nil: not told yet
	renewed  bool          // it has changed while something was dirty, which was not written again yet
	made     int           // names that were made up, so that they are new
}

// deadKept and recentKept bound what is remembered.
const (
	deadKept   = 8
	recentKept = 4
)

// New mounts the export and makes the folder. The caller closes the checker.
func New(ctx context.Context, o Options) (*Checker, error) {
	c := &Checker{opts: o.withDefaults(), random: rand.New(rand.NewPCG(o.Seed, 1813))}
	root, err := mounted(ctx, &c.opts)
	if err != nil {
		return nil, err
	}
	c.root = root
	for i, caller := range c.opts.Callers {
		c.clients = append(c.clients, newClient(i, caller, &c.opts))
	}
	if err := c.makeBase(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the clients. What is on the export stays.
func (c *Checker) Close() {
	for _, cl := range c.clients {
		cl.calls.Close()
	}
}

// makeBase makes the folder, which everybody may write.
func (c *Checker) makeBase(ctx context.Context) error {
	cl := c.clients[0]
	c.base = newDirectory()
	c.base.mode, c.base.uid, c.base.gid = 0o777, cl.caller.UID, cl.caller.GID
	s := c.begin(cl, []*node{c.base}, "MKDIR %s in the export's root", c.opts.Folder)
	var r nfs.CreateResult
	a := nfs.MkdirArgs{Where: nfs.DirOp{Dir: c.root, Name: c.opts.Folder}, Attr: nfs.SetAttr{Mode: nfs.Some(uint32(0o777))}}
	err, again := cl.do(ctx, nfs.ProcMkdir, &a, &r), false
	for errors.Is(err, errUnknown) {
		err, again = cl.do(ctx, nfs.ProcMkdir, &a, &r), true
	}
	if err != nil {
		return err
	}
	if ours := again && r.Status == nfs.ErrExist; r.Status != nfs.OK && !ours {
		return fmt.Errorf("MKDIR %s: %w", c.opts.Folder, r.Status)
	}
	var l nfs.LookupResult
	if err := cl.do(ctx, nfs.ProcLookup, &a.Where, &l); err != nil {
		return err
	}
	if l.Status != nfs.OK || !l.Attr.Follows {
		return fmt.Errorf("LOOKUP %s: %s, attributes: %t", c.opts.Folder, statusText(l.Status), l.Attr.Follows)
	}
	s.answer = statusText(l.Status)
	c.base.handle, c.base.fileID, c.fsid = slices.Clone(l.Object), l.Attr.Value.FileID, l.Attr.Value.FSID
	c.live = []*node{c.base}
	s.attr(c.base, &l.Attr.Value)
	return s.end()
}

// Run asks n things, one at a time.
func (c *Checker) Run(ctx context.Context, n int) error {
	for i := range n {
		if err := c.after(ctx, c.any()(ctx)); err != nil {
			return err
		}
		if c.opts.Disturb != nil && c.opts.DisturbEvery > 0 && (i+1)%c.opts.DisturbEvery == 0 {
			c.opts.Disturb()
		}
	}
	return nil
}

// Run checks a server with all that it takes no second route for: one thing at a time, many at a time, and all of it read in the end.
func Run(ctx context.Context, o Options) error {
	c, err := New(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Run(ctx, c.opts.Operations); err != nil {
		return err
	}
	if err := c.RunConcurrent(ctx, c.opts.Operations); err != nil {
		return err
	}
	return c.Verify(ctx)
}

// removed takes what is at p away, and buries it if it was its last name.
func (c *Checker) removed(p place) {
	n := p.dir.entries[p.name]
	take(p)
	n.ctime.touch()
	p.dir.changed()
	if n.dead {
		c.bury(n)
	}
}

// bury moves n to the dead.
func (c *Checker) bury(n *node) {
	same := func(o *node) bool { return o == n }
	c.live = slices.DeleteFunc(c.live, same)
	c.recent = slices.DeleteFunc(c.recent, same)
	n.changed()
	n.dirty = nil
	if len(c.dead) == deadKept {
		c.dead = slices.Delete(c.dead, 0, 1)
	}
	c.dead = append(c.dead, n)
}

// worked remembers that n was worked on: it is likely to be asked for again, by others.
func (c *Checker) worked(n *node) {
	c.recent = slices.DeleteFunc(c.recent, func(o *node) bool { return o == n })
	if len(c.recent) == recentKept {
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	c.recent = append(c.recent, n)
}
