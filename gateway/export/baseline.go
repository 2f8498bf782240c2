package export

import (
	"context"

	"forebay/protocols/nfs"
)

// baseline has the array asked what a file is like before a WRITE that has begun, where the array doesn't say so with its answer (nfs-ganesha doesn't): else
// whatever is cached of the file would have to go. It asks nothing in the company of other WRITEs, which wait for the answer as well, as what they do
// would show in it; nor for a file of which nothing was read. An error is ctx's.
func (e *Export) baseline(ctx context.Context, c *nfs.Caller, n *node) error {
	if !e.silent.Load() {
		return nil
	}
	known, mine := n.asksBaseline()
	if known == nil {
		return nil
	}
	if !mine {
		select {
		case <-known:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var r nfs.GetAttrResult
	err := e.once(ctx, c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.handle}, &r)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil && r.Status == nfs.OK {
		n.mu.view.found(weak(&r.Attr))
	}
	n.mu.baseline = nil
	close(known)
	return ctx.Err()
}

// asksBaseline returns what is closed when the array has said what the file is like, and whether the caller is to ask it; nil: nobody needs to.
func (n *node) asksBaseline() (known chan struct{}, mine bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := &n.mu.view
	if n.mu.baseline == nil && n.mu.read && !v.company.met && v.changes-v.relinks == 1 {
		n.mu.baseline, mine = make(chan struct{}), true
	}
	return n.mu.baseline, mine
}
