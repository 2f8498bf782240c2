package export

import (
	"time"

	"forebay/protocols/nfs"
)

// view is what is known of an object's attributes. The zero value knows nothing. It is guarded by its node's mu.
type view struct {
	attr  nfs.Attr
	known bool
	until time.Time // fresh so long

	changes int    // ours, under way
	turns   uint64 // changes of ours that began and ended, and of others that were noticed

	relinked bool // names of it were changed by us, which moves nothing but the ctime, since the view was last true
}

// look is a question that the array is asked: when.
type look struct {
	turns uint64
	quiet bool
}

// change is a change of ours.
type change struct {
	turns uint64
	alone bool // no other was under way when it began
}

func (v *view) fresh(now time.Time) bool { return v.known && now.Before(v.until) }

// stale has the array asked before the view is used again.
func (v *view) stale() { v.until = time.Time{} }

// look comes before a question.
func (v *view) look() look { return look{v.turns, v.changes == 0} }

// learn takes in the answer to a question. What overlaps a change of ours may be older than what is known, and is ignored. It says whether
// others have changed the object since the view was last true.
func (v *view) learn(l look, a *nfs.Attr, until time.Time) (foreign bool) {
	if !l.quiet || l.turns != v.turns {
		return false
	}
	foreign = v.known && !v.unchanged(weak(a))
	if foreign {
		v.turns++ // what was asked before this may be older
	}
	v.attr, v.known, v.until, v.relinked = *a, true, until, false
	return foreign
}

// begin enters a change of ours, before the array is asked for it.
func (v *view) begin() change {
	v.changes++
	v.turns++
	return change{v.turns, v.changes == 1}
}

// end takes in what the array said of a change. reach is how large the object is at least if the change was a write. It says whether others
// have changed the object before, or may from now on without being noticed.
func (v *view) end(c change, w *nfs.WccData, reach uint64, until time.Time) (foreign bool) {
	alone := c.alone && v.turns == c.turns
	v.changes--
	v.turns++
	foreign = alone && v.known && w.Before.Follows && !v.unchanged(w.Before.Value)
	switch after := &w.After.Value; {
	case !w.After.Follows: // nothing to hold against what comes later
		v.known = false
		v.stale()
		return true
	case alone:
		v.attr, v.relinked = *after, false
	default: // others of ours may have been executed since
		size := max(after.Size, reach)
		if v.known {
			size = max(size, v.attr.Size)
		}
		if !v.known || !after.Ctime.Before(v.attr.Ctime) {
			v.attr = *after
		}
		v.attr.Size = size
	}
	v.known, v.until = true, until
	return foreign
}

// abandon is the end of a change of which the array said nothing. If it was executed, that is noticed later, and taken for others'.
func (v *view) abandon() {
	v.changes--
	v.turns++
	v.stale()
}

// weak are the attributes by which changes are noticed (RFC 1813 2.6, wcc_attr).
func weak(a *nfs.Attr) nfs.WccAttr { return nfs.WccAttr{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime} }

// unchanged says whether attributes are those of the view, give or take what changes of names move.
func (v *view) unchanged(now nfs.WccAttr) bool {
	was := weak(&v.attr)
	if v.relinked && was.Ctime.Before(now.Ctime) {
		was.Ctime = now.Ctime
	}
	return was == now
}
