package export

import (
	"time"

	"forebay/protocols/nfs"
)

// view is what is known of an object's attributes, and whether that is still so. The zero value knows nothing. It is guarded by its node's mu.
//
// What holds of it:
//
//   - While it is fresh, attr is no older than any change of ours that has been answered, nor than the timeout.
//   - While it is known, what is cached of the object's content is no older than attr, as far as others changed it; where that can't be held
//     against anything any more, learn, end and abandon say so, and the caller drops what is cached before it does anything else.
//   - What a question or a change of ours brings is taken in only if nothing of ours can have been executed after it that has ended and that attr
//     would lack then.
type view struct {
	attr  nfs.Attr
	known bool
	until time.Time   // fresh so long
	news  uint64      // how often a question brought what was not known
	last  nfs.WccAttr // what the array will say if nobody else has changed the object

	turns    uint64 // changes of ours that began and that ended, and drops
	changes  int    // ours, under way
	whole    bool   // attr has all changes of ours that have ended
	unseen   uint64 // the turn when one ended last that attr lacks: whatever began before that may lack it too
	relinks  int    // those of them that are of its names
	relinked bool   // names of it were changed by us, which moves nothing but the ctime, since the view was last true
	company  company
}

// look is a question that the array is asked: when.
type look struct {
	turns, news uint64
	quiet       bool
	at          time.Time
}

func (v *view) fresh(now time.Time) bool { return v.known && now.Before(v.until) }

// stale has the array asked before the view is used again.
func (v *view) stale() { v.until = time.Time{} }

// look comes before a question.
func (v *view) look(now time.Time) look { return look{v.turns, v.news, v.changes == 0, now} }

// learn takes in the answer to a question, for true for so long since it was asked. What overlaps a change of ours may be older than what is
// known, and is ignored. It says whether others have changed the object since the view was last true, or may have.
func (v *view) learn(l look, a *nfs.Attr, life time.Duration) (foreign bool) {
	if !l.quiet || l.turns != v.turns {
		return false
	}
	foreign = !v.known || !v.unchanged(v.last, weak(a))
	if foreign {
		v.stale()
	}
	if l.news == v.news { // else another question has brought something else meanwhile: nobody knows which is the later
		v.extend(l.at.Add(life))
	}
	if foreign {
		v.news++
	}
	v.attr, v.last, v.known, v.whole, v.relinked = *a, weak(a), true, true, false
	return foreign
}

// extend has the view fresh until then at least.
func (v *view) extend(until time.Time) {
	if v.until.Before(until) {
		v.until = until
	}
}

// drop forgets all. What is being asked and changed is not taken in.
func (v *view) drop() {
	v.known = false
	v.company.met = true // there is nothing to be held against anything
	v.outdate()
}

// outdate is as if a change of ours had ended that attr lacks.
func (v *view) outdate() {
	v.turns++
	v.lack()
}

// lack notes that attr doesn't have all changes of ours that have ended.
func (v *view) lack() {
	v.unseen, v.whole = v.turns, false
	v.stale()
}

// weak are the attributes by which changes are noticed (RFC 1813 2.6, wcc_attr).
func weak(a *nfs.Attr) nfs.WccAttr { return nfs.WccAttr{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime} }

// unchanged says whether attributes are what they were, give or take what changes of names move.
func (v *view) unchanged(was, now nfs.WccAttr) bool {
	if v.relinked && was.Ctime.Before(now.Ctime) {
		was.Ctime = now.Ctime
	}
	return was == now
}
