package nfsmodel

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"forebay/protocols/nfs"
)

// tick is more than the granularity of a filer's times: two changes that lie so far apart have different ones.
const tick = 20 * time.Millisecond

// BehindTheBack changes files by another route, in five ways, while nothing is asked of the server, waits until attributes have expired, and
// has every client open them as close-to-open consistency demands: with a LOOKUP and a GETATTR; what they then read must be new. All has to
// be there by then: Commit goes before it, and what makes a cache write back. The export is quiet for the moment that times need to differ.
func (c *Checker) BehindTheBack(ctx context.Context, by Route) error {
	if err := c.Verify(ctx); err != nil { // it is cached now
		return err
	}
	if err := pause(ctx, tick); err != nil {
		return err
	}
	s := c.begin(c.clients[0], nil, "changes by another route")
	if err := c.changeBehind(ctx, s, by); err != nil {
		return fmt.Errorf("changes by another route: %w", err)
	}
	if err := pause(ctx, tick+c.opts.AttributeCache); err != nil {
		return err
	}
	if err := c.Verify(ctx); err != nil {
		return err
	}
	return c.dieBehind(ctx, s)
}

// dieBehind checks that what was removed by another route is stale.
func (c *Checker) dieBehind(ctx context.Context, s *step) error {
	for _, n := range s.nodes {
		if n.dead {
			if err := c.getAttrOf(ctx, c.client(), n); err != nil {
				return err
			}
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// changeBehind makes the changes, on different files as far as there are enough.
func (c *Checker) changeBehind(ctx context.Context, s *step, by Route) error {
	s.answer = "done:"
	ways := []func(context.Context, *step, Route, *node) error{c.writeBehind, c.truncateBehind, c.replaceBehind, c.removeBehind}
	var files []*node
	for _, n := range c.live {
		if n.kind == nfs.Regular {
			files = append(files, n)
		}
	}
	c.random.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	for i, n := range files[:min(len(files), 3*len(ways))] {
		s.concerns(n)
		if err := ways[i%len(ways)](ctx, s, by, n); err != nil {
			return err
		}
	}
	return c.createBehind(ctx, s, by)
}

// exported is a place as routes know it.
func (c *Checker) exported(p place) string {
	path := p.name
	for d := p.dir; d != c.base; d = d.places[0].dir {
		path = filepath.Join(d.places[0].name, path)
	}
	return filepath.Join(c.opts.Folder, path)
}

func (c *Checker) writeBehind(ctx context.Context, s *step, by Route, n *node) error {
	off, p := c.position(n), c.bytes(c.length())
	s.answer += fmt.Sprintf(" write %s [%d, +%d);", n.path(), off, len(p))
	n.content.write(off, p)
	n.changed()
	return by.Write(ctx, c.exported(n.places[0]), off, p)
}

func (c *Checker) truncateBehind(ctx context.Context, s *step, by Route, n *node) error {
	size := c.newSize(n)
	s.answer += fmt.Sprintf(" truncate %s to %d;", n.path(), size)
	n.content.truncate(size)
	n.changed()
	return by.Truncate(ctx, c.exported(n.places[0]), size)
}

// replaceBehind puts a new file in the place of n.
func (c *Checker) replaceBehind(ctx context.Context, s *step, by Route, n *node) error {
	p := n.places[0]
	beside := place{p.dir, c.newName()}
	s.answer += fmt.Sprintf(" replace %s;", n.path())
	data := c.bytes(c.length())
	if err := by.Create(ctx, c.exported(beside), data); err != nil {
		return err
	}
	if err := by.Rename(ctx, c.exported(beside), c.exported(p)); err != nil {
		return err
	}
	n.goneBehind = true
	c.removed(p)
	return c.appear(ctx, s, p, data)
}

func (c *Checker) removeBehind(ctx context.Context, s *step, by Route, n *node) error {
	p := n.places[0]
	s.answer += fmt.Sprintf(" remove %s;", n.path())
	if err := by.Remove(ctx, c.exported(p)); err != nil {
		return err
	}
	n.goneBehind = true
	c.removed(p)
	return nil
}

func (c *Checker) createBehind(ctx context.Context, s *step, by Route) error {
	p := place{c.base, c.newName()}
	s.answer += fmt.Sprintf(" create %s;", p.path())
	data := c.bytes(c.length())
	if err := by.Create(ctx, c.exported(p), data); err != nil {
		return err
	}
	return c.appear(ctx, s, p, data)
}

// appear takes in a file that is at p now, of which clients learn when attributes have expired.
func (c *Checker) appear(ctx context.Context, s *step, p place, data []byte) error {
	if err := pause(ctx, c.opts.AttributeCache+tick); err != nil {
		return err
	}
	n := &node{kind: nfs.Regular, mode: 0o666, modeFree: true}
	n.content.write(0, data)
	r, err := c.look(ctx, p)
	if err != nil {
		return err
	}
	s.check(r.Status == nfs.OK && r.Attr.Follows, "a LOOKUP of the new %s: %s, attributes: %t", p.path(), statusText(r.Status), r.Attr.Follows)
	if s.wrong != nil {
		return s.end()
	}
	n.uid, n.gid = r.Attr.Value.UID, r.Attr.Value.GID
	h := nfs.Some(r.Object)
	if err := c.adopt(ctx, s, n, p, &h, &r.Attr); err != nil {
		return err
	}
	return s.end()
}
