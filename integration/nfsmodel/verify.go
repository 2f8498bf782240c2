package nfsmodel

import (
	"context"

	"forebay/protocols/nfs"
)

// Verify looks at everything through every client: names, listings, attributes, contents and targets. What a client may not see it must
// not be shown.
func (c *Checker) Verify(ctx context.Context) error { return c.after(ctx, c.verify(ctx)) }

func (c *Checker) verify(ctx context.Context) error {
	for _, cl := range c.clients {
		if err := c.verifyFor(ctx, cl); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) verifyFor(ctx context.Context, cl *client) error {
	for _, n := range c.live {
		for _, p := range n.places {
			if n == c.base {
				break
			}
			if err := c.lookupOf(ctx, cl, p); err != nil {
				return err
			}
		}
		if err := c.verifyNode(ctx, cl, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) verifyNode(ctx context.Context, cl *client, n *node) error {
	if err := c.getAttrOf(ctx, cl, n); err != nil {
		return err
	}
	switch n.kind {
	case nfs.Regular:
		return c.readAll(ctx, cl, n)
	case nfs.SymbolicLink:
		return c.readLinkOf(ctx, cl, n)
	}
	return c.list(ctx, cl, n, c.chance(50))
}
