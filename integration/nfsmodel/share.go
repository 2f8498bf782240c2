package nfsmodel

import (
	"context"
	"fmt"

	"forebay/protocols/nfs"
)

// shareInto makes shared files in d, which are full in the beginning.
func (c *Checker) shareInto(ctx context.Context, d *node) ([]*sharedFile, error) {
	var files []*sharedFile
	for i := range sharedFiles {
		n, err := c.file(ctx, d)
		if err != nil {
			return nil, err
		}
		f := newSharedFile(n, i)
		for u := 0; u < units; u += unitsMax {
			w := &worker{client: c.clients[0], straggle: c.opts.Straggle}
			if err := w.writeUnits(ctx, f, u, unitsMax, nfs.FileSync); err != nil {
				return nil, err
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// settleShared reads a shared file, once nobody writes it any more, through every client, and takes what it holds into the model.
func (c *Checker) settleShared(ctx context.Context, f *sharedFile) error {
	w := &worker{client: c.clients[0], straggle: c.opts.Straggle}
	if err := w.commit(ctx, f); err != nil {
		return err
	}
	for _, cl := range c.clients {
		w.client = cl
		for u := 0; u < 2*units; u += unitsMax {
			if err := w.readUnits(ctx, f, u, unitsMax, true); err != nil {
				return fmt.Errorf("seed %d: shared file %d at rest, client %d: %w", c.opts.Seed, f.tag, cl.number, err)
			}
		}
	}
	if err := c.takeIn(ctx, f.node); err != nil {
		return err
	}
	return c.readAll(ctx, c.clients[len(c.clients)-1], f.node)
}

// takeIn makes what a file holds the model's.
func (c *Checker) takeIn(ctx context.Context, n *node) error {
	n.unsure()
	n.content = content{}
	for {
		var r nfs.ReadResult
		err := c.clients[0].do(ctx, nfs.ProcRead, &nfs.ReadArgs{File: n.handle, Offset: n.content.size, Count: maxTransfer}, &r)
		if err != nil {
			return err
		}
		if r.Status != nfs.OK || len(r.Data) == 0 && !r.EOF {
			return fmt.Errorf("READ of %s: %s, %d bytes, eof %t", n.path(), statusText(r.Status), len(r.Data), r.EOF)
		}
		n.content.write(n.content.size, r.Data)
		if r.EOF {
			return nil
		}
	}
}
