package export

import (
	"time"

	"pgregory.net/rapid"

	"forebay/protocols/nfs"
)

const worldLife = 8 * time.Second

// world is an object in an array, what is on its way to it, and the view of it.
type world struct {
	*rapid.T
	file   bool
	others bool // change it too
	loose  bool // attributes are not taken atomically with changes
	coarse bool // changes may have the same time
	tame   bool // all answers come, with all that may be in them

	view     view
	now      time.Time
	tick     uint32
	states   []nfs.Attr // that it had; the last is the present one
	ours     []*ourChange
	asked    []*asked
	answered int // the state that the last change of ours that was answered made
	oldest   int // the state that the oldest thing which is cached was read from; -1: nothing is cached
	foreign  []foreignChange
}

type foreignChange struct {
	state int
	at    time.Time
}

type ourChange struct {
	kind          string
	change        change
	wcc           nfs.WccData
	before, after bool
	state         int // 0: not executed
	reach         uint64
}

type asked struct {
	look  look
	state int // -1: not executed
}

func (w *world) last() *nfs.Attr { return &w.states[len(w.states)-1] }
func (w *world) chance(n int, what string) bool {
	return rapid.IntRange(1, n).Draw(w.T, what) == 1
}

// made makes a new state.
func (w *world) made(change func(a *nfs.Attr)) int {
	if !w.coarse || w.chance(3, "tick") {
		w.tick++
	}
	a := *w.last()
	change(&a)
	a.Ctime = nfs.Time{Seconds: w.tick}
	w.states = append(w.states, a)
	return len(w.states) - 1
}

func (w *world) step() {
	steps := []func(){w.fill}
	if len(w.ours) < 3 {
		steps = append(steps, w.begin)
	}
	if len(w.asked) < 2 {
		steps = append(steps, w.ask)
	}
	for _, c := range w.ours {
		steps = append(steps, func() { w.goOn(c) }, func() { w.goOn(c) })
	}
	for _, q := range w.asked {
		steps = append(steps, func() { w.answer(q) })
	}
	if w.others {
		steps = append(steps, func() {
			state := w.made(func(a *nfs.Attr) {
				a.Mtime = nfs.Time{Seconds: w.tick}
				if len(w.ours) == 0 {
					a.Size /= 2
				}
			})
			if len(w.ours) == 0 {
				w.foreign = append(w.foreign, foreignChange{state, w.now})
			}
		})
	}
	rapid.SampledFrom(steps).Draw(w.T, "step")()
}

// begin begins a change of ours that may be under way beside the others.
func (w *world) begin() {
	kinds := []string{"write", "set", "names", "names"}
	if !w.file {
		kinds = []string{"entry", "set", "names"}
	}
	c := &ourChange{kind: rapid.SampledFrom(kinds).Draw(w.T, "kind")}
	for _, other := range w.ours {
		if w.file && (c.kind == "set" && other.kind != "names" || other.kind == "set" && c.kind != "names") {
			return // excluded by the order
		}
	}
	if c.kind == "names" {
		c.change = w.view.beginRelink(w.now)
	} else {
		c.change = w.view.begin(w.now)
	}
	w.ours = append(w.ours, c)
	w.fill()
}

func (w *world) goOn(c *ourChange) {
	switch {
	case !c.before:
		c.before = true
		c.wcc.Before = nfs.Some(weak(w.last()))
		if w.loose {
			return
		}
		fallthrough
	case c.state == 0:
		c.state = w.made(func(a *nfs.Attr) { w.execute(c, a) })
		if w.loose {
			return
		}
		fallthrough
	case !c.after:
		c.after = true
		c.wcc.After = nfs.Some(*w.last())
	default:
		w.end(c)
	}
}

func (w *world) execute(c *ourChange, a *nfs.Attr) {
	switch c.kind {
	case "write":
		c.reach = uint64(rapid.IntRange(1, 50).Draw(w.T, "reach"))
		a.Size, a.Mtime = max(a.Size, c.reach), nfs.Time{Seconds: w.tick}
	case "set":
		a.Mode++
		if w.file {
			a.Size, a.Mtime = uint64(rapid.IntRange(0, 50).Draw(w.T, "size")), nfs.Time{Seconds: w.tick}
		}
	case "entry":
		a.Size++
		a.Mtime = nfs.Time{Seconds: w.tick}
	case "names":
		a.Nlink++
	}
}

func (w *world) end(c *ourChange) {
	for i, other := range w.ours {
		if other == c {
			w.ours = append(w.ours[:i:i], w.ours[i+1:]...)
			break
		}
	}
	if c.kind != "names" && !w.tame {
		c.wcc.Before.Follows, c.wcc.After.Follows = !w.chance(8, "without before"), !w.chance(8, "without after")
	}
	known, foreign := w.view.known, false
	switch {
	case c.kind == "names":
		w.view.endRelink()
	case !w.tame && w.chance(8, "lost"):
		foreign = w.view.abandon(c.change)
	default:
		foreign = w.view.end(c.change, &c.wcc, c.reach, worldLife)
	}
	w.noticed(foreign)
	w.answered = max(w.answered, c.state)
	if w.tame && known && foreign {
		w.Fatal("what we do ourselves is taken for others' doing")
	}
	if !w.tame && w.chance(20, "drop") {
		w.view.drop()
		w.noticed(true)
	}
}
