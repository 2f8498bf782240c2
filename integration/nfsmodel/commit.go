package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"forebay/protocols/nfs"
)

// without is what of spans lies outside of s.
func without(spans []span, s span) []span {
	var left []span
	for _, o := range spans {
		if o.from < s.from {
			left = append(left, span{o.from, min(o.to, s.from)})
		}
		if o.to > s.to {
			left = append(left, span{max(o.from, s.to), o.to})
		}
	}
	return left
}

func (c *Checker) commit(ctx context.Context) error {
	n := c.node(nfs.Regular)
	if c.chance(60) {
		return c.commitOf(ctx, c.client(), n, span{0, 0})
	}
	off := c.position(n)
	return c.commitOf(ctx, c.client(), n, span{off, off + uint64(c.length())})
}

// commitOf commits a range of n; all of it if the range is empty. With a new verifier nothing is
// committed: after sees to it.
func (c *Checker) commitOf(ctx context.Context, cl *client, n *node, r span) error {
	s := c.begin(cl, []*node{n}, "COMMIT %s [%d, %d)", n.path(), r.from, r.to)
	var w want
	w.object(c, n)
	if n.kind != nfs.Regular {
		w.mustSomehow() // RFC 1813 has no status for it
	} else if !cl.permitted(n, write) {
		w.may(nfs.ErrAcces, nfs.ErrPerm)
	}
	var res nfs.CommitResult
	a := nfs.CommitArgs{File: n.handle, Offset: r.from, Count: uint32(r.to - r.from)}
	if err := cl.do(ctx, nfs.ProcCommit, &a, &res); err != nil {
		return err
	}
	s.status(res.Status, &w)
	s.before(n, &res.Wcc)
	s.see(n, &res.Wcc.After)
	if err := s.end(); err != nil || res.Status != nfs.OK {
		return err
	}
	if c.told(res.Verifier); c.renewed {
		return nil
	}
	if r.to == r.from {
		r.to = ^uint64(0)
	}
	n.dirty = without(n.dirty, r)
	return nil
}

// told takes a write verifier. With a new one, what is dirty may be lost.
func (c *Checker) told(v nfs.Verifier) {
	if c.verifier != nil && *c.verifier != v {
		c.renewed = c.renewed || slices.ContainsFunc(c.live, func(n *node) bool { return len(n.dirty) > 0 })
		c.opts.Logf("step %d: a new write verifier, %x", c.count, v)
	}
	c.verifier = &v
}

// writeAgain writes what is dirty of all files again, and commits it. Until it is done their sizes and contents are not certain.
func (c *Checker) writeAgain(ctx context.Context) error {
	cl := c.clients[0]
	for _, n := range c.live {
		if len(n.dirty) == 0 {
			continue
		}
		s := c.begin(cl, []*node{n}, "written again: %s %v", n.path(), n.dirty)
		for _, d := range n.dirty {
			if err := c.copyOut(ctx, n, d); err != nil {
				return err
			}
		}
		s.answer = "done"
		n.dirty = nil
		n.changed()
		n.mtime.forget()
		n.ctime.forget()
	}
	return nil
}

// copyOut writes a span of the model's content to the server, durably.
func (c *Checker) copyOut(ctx context.Context, n *node, d span) error {
	for d.to = min(d.to, n.content.size); d.from < d.to; {
		p := n.content.read(d.from, int(min(d.to-d.from, maxTransfer)))
		var r nfs.WriteResult
		if err := c.clients[0].do(ctx, nfs.ProcWrite, &nfs.WriteArgs{File: n.handle, Offset: d.from, Stable: nfs.FileSync, Data: p}, &r); err != nil {
			return err
		}
		if r.Status != nfs.OK || r.Count == 0 || r.Count > uint32(len(p)) {
			return fmt.Errorf("WRITE of %s again: %s, %d bytes of %d", n.path(), statusText(r.Status), r.Count, len(p))
		}
		d.from += uint64(r.Count)
	}
	return nil
}

// after looks at how a step ended. A new write verifier, if something was dirty, forgives a wrong answer: it may have shown what was lost. All
// that is dirty is then written again, and read.
func (c *Checker) after(ctx context.Context, err error) error {
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		return err
	}
	if f != nil && !c.renewed {
		if asked := c.askVerifier(ctx); asked != nil {
			return errors.Join(err, asked)
		}
	}
	if !c.renewed {
		return err
	}
	c.renewed = false
	if f != nil {
		c.opts.Logf("forgiven: %v", f)
	}
	if err := c.writeAgain(ctx); err != nil {
		return err
	}
	return c.verify(ctx)
}

// askVerifier asks for the write verifier, if anything is dirty.
func (c *Checker) askVerifier(ctx context.Context) error {
	for _, n := range c.live {
		if len(n.dirty) == 0 {
			continue
		}
		var r nfs.CommitResult
		err := c.clients[0].do(ctx, nfs.ProcCommit, &nfs.CommitArgs{File: n.handle, Count: 1}, &r)
		if err == nil && r.Status == nfs.OK {
			c.told(r.Verifier)
		}
		return err
	}
	return nil
}

// Commit makes all that was written durable.
func (c *Checker) Commit(ctx context.Context) error {
	for _, n := range c.live {
		if len(n.dirty) > 0 {
			if err := c.after(ctx, c.commitOf(ctx, c.clients[0], n, span{0, 0})); err != nil {
				return err
			}
		}
	}
	return nil
}
