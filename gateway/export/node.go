package export

import (
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"forebay/cachecore"
	"forebay/cachecore/volume"
	"forebay/protocols/nfs"
)

// node is what is known of one object.
type node struct {
	handle nfs.Handle
	order  *semaphore.Weighted // of a file: WRITEs share it, SETATTR has it alone
	born   uint64              // the table's turns when it was made

	// Guarded by the table's shard.
	users int
	used  bool

	mu struct {
		sync.Mutex
		view     view
		grants   grants
		names    names
		changing map[string]chan struct{} // names that are being changed, closed when that is over
		volume   *volume.Volume           // nil: of no regular file, or of one that has not been read or written
		kept     *kept                    // the volume's; nil: there is no flash
		trust    trust
		object   cachecore.ObjectID // the volume's
		reader   nfs.Caller         // on whose behalf blocks are read: the last that the array has let read
		ahead    ahead
		asking   *inquiry // the GETATTR under way that others may join; nil: none is
	}
}

// everything is what SETATTR takes of a file's order, of which a WRITE takes one.
const everything = 1 << 30

func newNode(h nfs.Handle, born uint64) *node {
	return &node{handle: append(nfs.Handle(nil), h...), order: semaphore.NewWeighted(everything), born: born}
}

// question is one that the array is asked: when. What its answer brings is true as of then.
type question struct {
	look
	rights uint64 // how often rights had been taken back
}

// ask comes before a question to the array.
func (n *node) ask() question {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.question(now)
}

func (n *node) question(now time.Time) question {
	return question{n.mu.view.look(now), n.mu.grants.turns}
}

// learn takes in attributes that the array has answered a question with. If others have changed the object, what is known of its content is dropped
// first; what else came with the answer isn't older than that, unless an answer to another question is.
func (n *node) learn(q *question, a *nfs.Attr, life time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.mu.view
	foreign := n.mu.view.learn(q.look, a, life)
	if foreign {
		n.forget()
	}
	n.noted(&before)
	if foreign && before.news == q.news {
		at := q.at
		*q = n.question(at)
	}
}

// begin comes before a change of ours.
func (n *node) begin() change {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.view.begin(now)
}

// beginRelink comes before a change of ours of the object's names.
func (n *node) beginRelink() {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.view.beginRelink(now)
}

// endRelink is its end.
func (n *node) endRelink() {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.mu.view
	n.mu.view.endRelink()
	n.ended(&before)
}

// end takes in what the array said of a change of ours.
func (n *node) end(c change, w *nfs.WccData, reach uint64, o *Options) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.mu.view
	if o.SoleWriter && !w.Before.Follows {
		n.mu.view.presume()
	}
	if n.mu.view.end(c, w, reach, o.AttributeCache) {
		n.forget()
	}
	n.ended(&before)
}

// abandon is the end of a change of ours that was not answered.
func (n *node) abandon(c change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.mu.view
	if n.mu.view.abandon(c) {
		n.forget()
	}
	n.ended(&before)
}

// ended is noted, of what a change of ours brought. n.mu is held.
func (n *node) ended(before *view) {
	n.mu.trust.ended = time.Now()
	n.noted(before)
}

// noted comes when the view has taken something in. It takes all rights back if the object has other owners or another mode. n.mu is held.
func (n *node) noted(before *view) {
	n.mu.trust.looked(before, &n.mu.view, time.Now())
	if a, b := &n.mu.view.attr, &before.attr; before.known && (a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID) {
		n.mu.grants.revoke()
	}
}

// revoke takes all rights back.
func (n *node) revoke() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.grants.revoke()
}

// forget drops what is known of an object's content, and who may use it. n.mu is held.
func (n *node) forget() {
	n.mu.names.clear()
	n.mu.grants.revoke()
	n.mu.trust.met, n.mu.trust.sound = time.Now(), false
	if n.mu.volume != nil {
		n.mu.volume.Drop()
	}
}

// drop forgets all; what was true may be no longer.
func (n *node) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.view.drop()
	n.forget()
}

// close ends what is known, and returns the volume that is to be closed.
func (n *node) close() (*volume.Volume, cachecore.ObjectID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := n.mu.volume
	n.mu.volume, n.mu.kept = nil, nil
	n.mu.view.stale()
	n.mu.names.clear()
	return v, n.mu.object
}
