package nfsmodel

import (
	"context"
	"errors"
	"fmt"

	"forebay/protocols/nfs"
)

// Files grow to usualSize; a few are written around farOffset, where 32 bits end.
const (
	usualSize = 1 << 20
	farOffset = 1<<32 - 64<<10
)

func (c *Checker) write(ctx context.Context) error {
	n := c.node(nfs.Regular)
	off := c.position(n)
	if off > usualSize && (off < farOffset || off > farOffset+usualSize) {
		off %= usualSize
	}
	if c.chance(1) && c.far() < 2 {
		off = farOffset + c.random.Uint64N(128<<10)
	}
	return c.writeTo(ctx, c.client(), n, off, c.bytes(c.length()), nfs.Stable(c.random.IntN(3)))
}

// far is how many long files there are.
func (c *Checker) far() int {
	far := 0
	for _, n := range c.live {
		if n.content.size >= farOffset {
			far++
		}
	}
	return far
}

func (c *Checker) writeTo(ctx context.Context, cl *client, n *node, off uint64, p []byte, how nfs.Stable) error {
	s := c.begin(cl, []*node{n}, "WRITE %s [%d, +%d) %s", n.path(), off, len(p), [...]string{"UNSTABLE", "DATA_SYNC", "FILE_SYNC"}[how])
	s.offset, s.data = off, p
	var w want
	w.object(c, n)
	w.data(cl, n, write)
	if n.kind != nfs.Regular {
		w.must(nfs.ErrInval, nfs.ErrIsDir)
	}
	var r nfs.WriteResult
	if err := cl.do(ctx, nfs.ProcWrite, &nfs.WriteArgs{File: n.handle, Offset: off, Stable: how, Data: p}, &r); err != nil {
		return err
	}
	s.status(r.Status, &w)
	s.before(n, &r.Wcc)
	if r.Status == nfs.OK && n.kind == nfs.Regular {
		c.wrote(s, n, off, p, how, &r)
	}
	s.see(n, &r.Wcc.After)
	if s.repeated() {
		n.changed()
		return errors.Join(s.end(), c.waitForStragglers(ctx))
	}
	return s.end()
}

// wrote takes in a WRITE that succeeded, perhaps of less than was asked for.
func (c *Checker) wrote(s *step, n *node, off uint64, p []byte, how nfs.Stable, r *nfs.WriteResult) {
	count := uint64(r.Count)
	s.answer += fmt.Sprintf(" %d bytes, committed %d", count, r.Committed)
	s.check(count > 0 && count <= uint64(len(p)), "%d bytes were written, of %d", count, len(p))
	s.check(r.Committed >= how, "committed is %d, want %d", r.Committed, how)
	count = min(count, uint64(len(p)))
	n.content.write(off, p[:count])
	n.changed()
	c.told(r.Verifier)
	n.dirty = without(n.dirty, span{off, off + count})
	if r.Committed == nfs.Unstable {
		n.dirty = append(n.dirty, span{off, off + count})
	}
	if !n.dead {
		c.worked(n)
	}
}
