package export

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"forebay/cachecore/volume"
	"forebay/protocols/nfs"
)

// node is what is known of one object.
type node struct {
	handle nfs.Handle
	order  *semaphore.Weighted // of a file: WRITEs share it, SETATTR has it alone

	// Guarded by the table's shard.
	users int
	used  bool

	mu struct {
		sync.Mutex
		view   view
		grants grants
		names  names
		volume *volume.Volume // nil: of no regular file, or of one that has not been read or written
		reader nfs.Caller     // on whose behalf blocks are read: the last that the array has let read
		ahead  ahead
		asking chan struct{} // closed when the GETATTR under way is answered; nil: none is
	}
}

// everything is what SETATTR takes of a file's order, of which a WRITE takes one.
const everything = 1 << 30

func newNode(h nfs.Handle) *node {
	n := &node{handle: append(nfs.Handle(nil), h...), order: semaphore.NewWeighted(everything)}
	return n
}

// look comes before a question to the array; turns is for a grant that the answer may give.
func (n *node) look() (l look, turns uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.view.look(), n.mu.grants.turns
}

// learn takes in attributes that the array has answered a question with. If others have changed the object, what is known of its content is dropped first.
func (n *node) learn(l look, a *nfs.Attr, until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.mu.view
	if n.mu.view.learn(l, a, until) {
		n.forget()
	}
	n.owned(&before)
}

// begin comes before a change of ours.
func (n *node) begin() change {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.view.begin()
}

// end takes in what the array said of a change of ours.
func (n *node) end(c change, w *nfs.WccData, reach uint64, until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.mu.view
	if n.mu.view.end(c, w, reach, until) {
		n.forget()
	}
	n.owned(&before)
}

// abandon is the end of a change of ours that was not answered.
func (n *node) abandon() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.view.abandon()
}

// owned takes all rights back if the object has other owners or another mode. n.mu is held.
func (n *node) owned(before *view) {
	if a, b := &n.mu.view.attr, &before.attr; before.known && (a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID) {
		n.mu.grants.revoke()
	}
}

// forget drops what is known of an object's content, and who may use it. n.mu is held.
func (n *node) forget() {
	n.mu.names = nil
	n.mu.grants.revoke()
	if n.mu.volume != nil {
		n.mu.volume.Drop()
	}
}

// drop forgets all; what was true may be no longer.
func (n *node) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.view.known = false
	n.mu.view.turns++
	n.mu.view.stale()
	n.forget()
}

// close ends a node that nobody uses.
func (n *node) close() { _ = n.shut(context.Background()) }

// shut ends a file's volume.
func (n *node) shut(ctx context.Context) error {
	n.mu.Lock()
	v := n.mu.volume
	n.mu.volume = nil
	n.mu.view.stale()
	n.mu.Unlock()
	if v == nil {
		return nil
	}
	return v.Close(ctx)
}
