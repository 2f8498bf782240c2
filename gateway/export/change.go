package export

import (
	"time"

	"forebay/protocols/nfs"
)

// change is a change of ours: when it began.
type change struct {
	turn uint64
	at   time.Time
}

// company are changes of ours none of which was under way without another of them. What others did before they began shows in what the array had
// before it executed the first of them. Nobody knows which that is, but it began before any of them was answered: if none of those found
// what we knew, others have changed the object. Changes of names say nothing, and change nothing that is held against anything: they don't count, nor
// keep others company. What others do later, while we change it too, can't be told from what we do, as arrays needn't take attributes atomically
// with a change (nfs-ganesha doesn't).
type company struct {
	base     nfs.WccAttr // what was known before
	met      bool        // one of them found that, or nothing was known
	answered uint64      // the turn before the first of them ended; 0: none has
	waiting  int         // those that had begun by then and have not ended
	mixed    bool        // last is what one of them brought
}

// begin enters a change of ours, before the array is asked for it.
func (v *view) begin(now time.Time) change {
	if v.changes == v.relinks {
		v.company = company{base: v.last, met: !v.known}
	}
	v.changes++
	v.turns++
	return change{v.turns, now}
}

// beginRelink is begin of a change of the object's names. It changes no content: where nothing but the ctime has moved when the array is asked
// next, what is cached stays.
func (v *view) beginRelink(now time.Time) change {
	c := v.begin(now)
	v.relinks++
	v.relinked = true
	return c
}

// endRelink is its end. The array says nothing of the object.
func (v *view) endRelink() {
	v.changes--
	v.relinks--
	v.outdate()
}

// presume takes it that others have not changed the object before those changes of ours that are under way.
func (v *view) presume() { v.company.met = true }

// end takes in what the array said of a change. reach is how large the object is at least if the change was a write: writes overlap writes
// only, and make it larger if anything. It says whether others have changed the object, or may have.
func (v *view) end(c change, w *nfs.WccData, reach uint64, life time.Duration) (foreign bool) {
	g, after := &v.company, &w.After.Value
	g.met = g.met || w.Before.Follows && v.unchanged(g.base, w.Before.Value) || w.After.Follows && v.unchanged(g.base, weak(after))
	alone := v.changes == 1 && v.turns == c.turn
	if !w.After.Follows || c.turn < v.unseen || !alone && !v.ordered(after, reach) {
		v.pass(&w.After)
		return v.abandon(c)
	}
	foreign = !v.known
	v.take(after, reach, alone)
	if v.leave(c) {
		return true
	}
	if v.company.met {
		v.extend(c.at.Add(life))
	} else {
		v.stale()
	}
	return foreign
}

// ordered says whether attr can be combined with what came with a change that others of ours overlapped. What is not a write was executed later
// if its ctime is; where clocks are coarse or step back nobody knows.
func (v *view) ordered(after *nfs.Attr, reach uint64) bool {
	return reach > 0 || !v.whole || v.attr.Ctime.Before(after.Ctime)
}

// take combines attr with what came with a change.
func (v *view) take(after *nfs.Attr, reach uint64, alone bool) {
	was := v.attr
	if alone || !v.whole || !after.Ctime.Before(was.Ctime) {
		v.attr = *after
	}
	switch {
	case alone:
		v.relinked = false
	case v.whole && reach > 0:
		v.attr.Size = max(was.Size, after.Size, reach)
	default:
		v.attr.Size = max(after.Size, reach)
	}
	v.known, v.whole, v.company.mixed = true, true, true
	v.last = weak(&v.attr)
}

// pass notes what came with a change that is not taken in: it may be what is found next all the same.
func (v *view) pass(after *nfs.PostOpAttr) {
	if after.Follows && v.last.Ctime.Before(after.Value.Ctime) {
		v.last, v.company.mixed = weak(&after.Value), true
	}
}

// abandon is the end of a change of which the array said nothing that can be taken in. If it was executed, that is noticed later, and taken for
// others'. It says whether others have changed the object before.
func (v *view) abandon(c change) (foreign bool) {
	foreign = v.leave(c)
	v.lack()
	return foreign
}

// leave takes a change out. It says whether it is clear now that others had changed the object before.
func (v *view) leave(c change) (foreign bool) {
	g := &v.company
	if g.answered == 0 {
		g.answered, g.waiting = v.turns, v.changes-v.relinks
	}
	if c.turn <= g.answered {
		g.waiting--
	}
	v.changes--
	v.turns++
	if g.met || g.waiting > 0 {
		return false
	}
	foreign = g.mixed
	*g = company{base: v.last, met: foreign}
	if foreign {
		v.lack() // the size may be one that others had taken back
	}
	return foreign
}
