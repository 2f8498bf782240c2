package nfsmodel

import (
	"bytes"
	"context"
	"fmt"

	"forebay/protocols/nfs"
)

// maxTransfer is the longest READ and WRITE.
const maxTransfer = 128 << 10

func (c *Checker) read(ctx context.Context) error {
	n := c.node(nfs.Regular)
	if c.chance(10) {
		return c.readAll(ctx, c.client(), n)
	}
	off, count := c.position(n), c.length()
	if c.chance(2) {
		count = 0
	}
	return c.readOf(ctx, c.client(), n, off, count)
}

// position chooses an offset: at the start, near the end, beyond it, or in what was written.
func (c *Checker) position(n *node) uint64 {
	size := n.content.size
	switch c.random.IntN(10) {
	case 0:
		return 0
	case 1:
		return size
	case 2:
		return size + c.random.Uint64N(256<<10)
	case 3:
		return size - c.random.Uint64N(min(size, 5000)+1)
	case 4:
		return c.random.Uint64N(size+1) &^ 4095
	case 5, 6:
		if numbers := n.content.numbers(); len(numbers) > 0 {
			return oneOf(c, numbers...)*pageSize + c.random.Uint64N(pageSize)
		}
	}
	return c.random.Uint64N(size + 1)
}

func (c *Checker) readOf(ctx context.Context, cl *client, n *node, off uint64, count int) error {
	_, err := c.readOnce(ctx, cl, n, off, count)
	return err
}

// readOnce checks one READ, and returns how much came: servers may give less than what there is.
func (c *Checker) readOnce(ctx context.Context, cl *client, n *node, off uint64, count int) (uint64, error) {
	s := c.begin(cl, []*node{n}, "READ %s [%d, +%d)", n.path(), off, count)
	var w want
	w.object(c, n)
	w.data(cl, n, read)
	switch n.kind {
	case nfs.Directory:
		w.must(nfs.ErrIsDir, nfs.ErrInval)
	case nfs.SymbolicLink:
		w.must(nfs.ErrInval)
	}
	var r nfs.ReadResult
	if err := cl.do(ctx, nfs.ProcRead, &nfs.ReadArgs{File: n.handle, Offset: off, Count: uint32(count)}, &r); err != nil {
		return 0, err
	}
	if s.status(r.Status, &w); r.Status == nfs.OK {
		s.isContent(n, off, count, &r)
	}
	n.atime.touch()
	s.see(n, &r.Attr)
	n.atime.touch() // the attributes may be older than the reading
	return uint64(len(r.Data)), s.end()
}

// isContent checks what a READ of n returned.
func (s *step) isContent(n *node, off uint64, count int, r *nfs.ReadResult) {
	size, got := n.content.size, uint64(len(r.Data))
	s.check(r.Count == uint32(got) && got <= uint64(count), "%d bytes came, and a count of %d", got, r.Count)
	s.answer += fmt.Sprintf(" %d bytes, eof %t", got, r.EOF)
	there := uint64(0)
	if off < size {
		there = min(size-off, uint64(count))
	}
	s.check(got <= there, "%d bytes came, of %d that there are", got, there)
	s.check(got > 0 || there == 0, "nothing came of %d bytes", there)
	if count > 0 || r.EOF {
		s.check(r.EOF == (off+got >= size), "eof is %t at %d of %d", r.EOF, off+got, size)
	}
	expected := n.content.read(off, len(r.Data))
	if bytes.Equal(expected, r.Data) {
		return
	}
	i := 0
	for expected[i] == r.Data[i] {
		i++
	}
	s.check(false, "wrong bytes at %d: %x, want %x; %s", off+uint64(i), head(r.Data[i:]), head(expected[i:]), whence(n, off+uint64(i), r.Data[i:]))
}

func head(p []byte) []byte { return p[:min(len(p), 16)] }

// readAll reads the whole file, of a long one what was written and what is around it.
func (c *Checker) readAll(ctx context.Context, cl *client, n *node) error {
	for off, size := uint64(0), n.content.size; ; {
		if off > 1<<20 && size-min(off, size) > 1<<20 {
			off = c.nextWritten(n, off)
		}
		got, err := c.readOnce(ctx, cl, n, off, maxTransfer)
		if err != nil || got == 0 {
			return err
		}
		off += got
	}
}

// nextWritten is where, at off or behind, something was written, or where the file's last bytes are.
func (c *Checker) nextWritten(n *node, off uint64) uint64 {
	for _, number := range n.content.numbers() {
		if end := (number + 1) * pageSize; end > off {
			return max(off, number*pageSize)
		}
	}
	return max(off, n.content.size-min(n.content.size, 1000))
}
