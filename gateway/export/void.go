package export

import (
	"context"
	"fmt"

	"forebay/gateway/witnesses"
	"forebay/protocols/nfs"
)

// begin enters a change of ours of a file. When it has returned, no start will take what flash has of the file for what it was before, after any end: what is
// read back while the array may lose the change yet would be ahead of it, and the array shows the attributes of before again.
func (e *Export) begin(ctx context.Context, n *node) (change, error) {
	begun := n.begin()
	err := e.void(ctx, n)
	if err != nil {
		e.abandon(n, begun)
	}
	return begun, err
}

// void has no witness of a file, durably. It asks nothing where there is none.
func (e *Export) void(ctx context.Context, n *node) error {
	if e.opts.Witnesses == nil {
		return nil
	}
	n.mu.Lock()
	none := n.mu.trust.none
	if !none {
		n.mu.trust.voiding++ // so that none is taken
	}
	n.mu.Unlock()
	if none {
		return nil
	}
	err := e.opts.Witnesses.Void(ctx, n.handle)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.trust.voiding--
	n.mu.trust.done = settledAs{}
	switch {
	case err == nil:
		n.mu.trust.none = true
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return fmt.Errorf("%w: what flash has of the file can't be given up: %w", nfs.ErrIO, err)
	}
}

// confirm comes with the attributes beside content that was read. What doesn't come with those that are known may not stay in the array, which may not have
// been asked to keep it; and what comes without any says nothing. Then there is no witness that this could be held against.
func (e *Export) confirm(ctx context.Context, n *node, a *nfs.PostOpAttr) error {
	n.mu.Lock()
	confirmed := a.Follows && n.mu.view.known && n.mu.view.last == weak(&a.Value)
	if !a.Follows {
		n.mu.trust.sound = false
	}
	n.mu.Unlock()
	if confirmed {
		return nil
	}
	return e.void(ctx, n)
}

// recall has a file's volume, which is being made, find again what flash has by a witness, if the file is as it was then. What others do to it is noticed
// from here on as if it had been cached just now. n.mu is held.
func (e *Export) recall(n *node) {
	v, s := &n.mu.view, e.flash()
	if e.opts.Witnesses == nil || s == nil || !v.known || !v.whole || v.changes > 0 || n.mu.trust.voiding > 0 || e.forgotten.Load()%2 == 1 {
		return
	}
	w, there := e.opts.Witnesses.Find(n.handle)
	if !there || w.Filer != witnesses.HashOf(e.opts.Filer()) || w.Attr != witnesses.AttrOf(&v.attr) || w.Store != s.ID() {
		return
	}
	if n.mu.kept.attach(s, w.Key) == nil {
		return
	}
	n.mu.trust.sound, n.mu.trust.done = true, settledAs{v.last, w.Key}
	n.mu.kept.open.Store(true)
}

// Forget is Drop, and takes the witnesses back, durably: the array may have been changed, with attributes as they were.
func (e *Export) Forget(ctx context.Context) error {
	e.forgets.Lock()
	defer e.forgets.Unlock()
	e.forgotten.Add(1) // no witness is used, nor taken of what was cached before
	defer e.forgotten.Add(1)
	if e.opts.Witnesses == nil {
		e.Drop()
		return nil
	}
	err := e.opts.Witnesses.Forget(ctx)
	e.Drop()
	if err != nil {
		return err
	}
	return e.opts.Witnesses.Forget(ctx) // that were just being noted before the drop
}
