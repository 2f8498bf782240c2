package export

import (
	"bytes"
	"context"
	"strings"

	"forebay/protocols/nfs"
)

// entry is a name of a directory that is being changed, by nobody else meanwhile: what is behind it stays what it was found to be. It is not
// remembered from before the array is asked on, and what is behind it is changing too, as others may use it by its handle.
type entry struct {
	export *Export
	dir    *node
	name   string
	begun  change
	within bool // a change of the directory that another entry begins and ends

	object *node // behind the name; nil: nothing, or it doesn't matter
}

// claim waits until nobody else changes a name, until release.
func (e *Export) claim(ctx context.Context, where nfs.DirOp) (*entry, error) {
	x := &entry{export: e, dir: e.table.use(where.Dir), name: where.Name}
	for {
		busy := x.dir.claim(where.Name)
		if busy == nil {
			return x, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			e.table.letGo(x.dir)
			return nil, ctx.Err()
		}
	}
}

// claimTwo claims two names, in an order that is the same for all, so that nobody waits in a circle. If they are one, second is nil.
func (e *Export) claimTwo(ctx context.Context, a, b nfs.DirOp) (first, second *entry, err error) {
	order := bytes.Compare(a.Dir, b.Dir)
	if order == 0 {
		order = strings.Compare(a.Name, b.Name)
	}
	switch {
	case order == 0:
		first, err = e.claim(ctx, a)
		return first, nil, err
	case order > 0:
		second, first, err = e.claimTwo(ctx, b, a)
		return first, second, err
	}
	if first, err = e.claim(ctx, a); err != nil {
		return nil, nil, err
	}
	if second, err = e.claim(ctx, b); err != nil {
		first.release()
		return nil, nil, err
	}
	return first, second, nil
}

// claim takes a name, or returns what is closed when it may be free.
func (n *node) claim(name string) (busy <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if busy := n.mu.changing[name]; busy != nil {
		return busy
	}
	if n.mu.changing == nil {
		n.mu.changing = map[string]chan struct{}{}
	}
	n.mu.changing[name] = make(chan struct{})
	return nil
}

// release lets others change the name.
func (x *entry) release() {
	if x == nil {
		return
	}
	n := x.dir
	n.mu.Lock()
	close(n.mu.changing[x.name])
	delete(n.mu.changing, x.name)
	n.mu.Unlock()
	x.export.table.letGo(n)
}

// begin comes before the change. behind is what the name leads to, or will; nil: nothing, or it doesn't matter.
func (x *entry) begin(behind nfs.Handle) {
	if x == nil {
		return
	}
	if !x.within {
		x.begun = x.dir.begin()
	}
	x.dir.mu.Lock()
	x.dir.mu.names.remove(x.name)
	x.dir.mu.Unlock()
	if behind != nil {
		x.object = x.export.table.use(behind)
		x.object.beginRelink()
	}
}

// end takes in what the array said of the directory, or, with an error, nothing.
func (x *entry) end(err error, wcc *nfs.WccData) {
	if x == nil {
		return
	}
	switch {
	case x.within:
	case err != nil:
		x.export.abandon(x.dir, x.begun)
	default:
		x.export.end(x.dir, x.begun, wcc, 0)
	}
	if x.object != nil {
		x.object.endRelink()
		x.export.tell(x.object.handle)
		x.export.table.letGo(x.object)
	}
}

// enter remembers what the name leads to, unless there was another change meanwhile. It comes after end.
func (x *entry) enter(h nfs.Handle) {
	n := x.dir
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.view.turns == x.begun.turn+1 {
		n.mu.names.enter(x.name, h)
	}
}
