package export

import (
	"context"

	"forebay/cachecore/volume"
)

// volumeOf returns a file's volume.
func (e *Export) volumeOf(n *node) *volume.Volume {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.volume == nil {
		n.mu.object = e.opts.Objects.take()
		var below volume.Flash
		if n.mu.kept = e.newKept(); n.mu.kept != nil {
			e.recall(n)
			below = n.mu.kept
		}
		n.mu.volume = volume.New(volume.Options{Object: n.mu.object, Array: &file{e, n}, Store: e.opts.Store, Buffers: e.opts.Buffers,
			Stats: e.opts.Stats, Outage: e.outage, SequentialBypass: -1, Stripes: fileStripes, Flash: below})
	}
	return n.mu.volume
}

// over is a context that has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// retire ends the volume of a node that nobody uses. A fill may be under way whose readers have given up: it is waited for, but not by who needs the
// node's place.
func (e *Export) retire(n *node) {
	v, id := n.close()
	switch {
	case v == nil:
	case v.Close(over) == nil:
		e.opts.Objects.give(id)
	default:
		e.works.Go(func() {
			_ = v.Close(context.Background())
			e.opts.Objects.give(id)
		})
	}
}
