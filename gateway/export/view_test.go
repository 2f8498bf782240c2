package export

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"forebay/protocols/nfs"
)

// An object changes by us and by others, answers come late and in any order: a view that is fresh has all that we were told is done, and what others
// did while we did nothing is noticed by the next question that we don't overlap, and before the timeout.
func TestAViewIsNeverOlderThanWhatWasAnswered(t *testing.T) {
	for name, world := range map[string]world{
		"a file":              {file: true, others: true},
		"a file, loosely":     {file: true, others: true, loose: true},
		"a file, coarsely":    {file: true, loose: true, coarse: true},
		"a directory":         {others: true, loose: true},
		"a directory, coarse": {coarse: true},
		"our file":            {file: true, loose: true, tame: true},
		"our directory":       {loose: true, tame: true},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				w := world
				w.T, w.now, w.states = rt, time.Unix(0, 0), []nfs.Attr{{Nlink: 1}}
				w.oldest = -1
				for range 100 {
					w.now = w.now.Add(time.Second)
					w.step()
					w.check()
				}
			})
		})
	}
}

func (w *world) ask() { w.asked = append(w.asked, &asked{w.view.look(w.now), -1}) }

// answer executes a question, then answers it. Nothing that others did before it was executed may be served after it.
func (w *world) answer(q *asked) {
	if q.state < 0 {
		q.state = len(w.states) - 1
		return
	}
	for i, other := range w.asked {
		if other == q {
			w.asked = append(w.asked[:i:i], w.asked[i+1:]...)
			break
		}
	}
	overlapped := !q.look.quiet || q.look.turns != w.view.turns
	w.noticed(w.view.learn(q.look, &w.states[q.state], worldLife))
	if !overlapped {
		w.answered = max(w.answered, q.state)
	}
	for _, f := range w.foreign {
		if !overlapped && f.state <= q.state && w.stale(f) {
			w.Fatal("a question shows what others did, and what was cached before is served on")
		}
	}
}

// fill caches something.
func (w *world) fill() {
	if w.oldest < 0 {
		w.oldest = len(w.states) - 1
	}
}

func (w *world) noticed(foreign bool) {
	if foreign {
		w.oldest = -1
	}
}

func (w *world) stale(f foreignChange) bool { return w.oldest >= 0 && w.oldest < f.state }

func (w *world) check() {
	v := &w.view
	if v.changes != len(w.ours) {
		w.Fatalf("%d changes are under way, not %d", len(w.ours), v.changes)
	}
	if !v.fresh(w.now) {
		return
	}
	for _, f := range w.foreign {
		if f.at.Before(v.until.Add(-worldLife)) && w.stale(f) {
			w.Fatal("what others did longer ago than the timeout is not noticed")
		}
	}
	for _, a := range w.states[w.answered:] {
		if a == v.attr {
			return
		}
	}
	w.Fatalf("fresh are %+v; since the last change of ours that was answered there were %+v", v.attr, w.states[w.answered:])
}
