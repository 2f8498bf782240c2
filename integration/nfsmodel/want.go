package nfsmodel

import (
	"fmt"
	"slices"
	"strings"

	"forebay/protocols/nfs"
)

// want is how a procedure may end. As it is made, it may only end with NFS3_OK. Servers look for reasons to refuse in different orders, so
// with several reasons it may end with any of theirs.
type want struct {
	refused  bool         // it mustn't succeed
	statuses []nfs.Status // how else it may end
	any      bool         // with any error
}

// must says that there is a reason to refuse.
func (w *want) must(s ...nfs.Status) {
	w.refused = true
	w.may(s...)
}

// may says that there is a reason that servers need not see.
func (w *want) may(s ...nfs.Status) { w.statuses = append(w.statuses, s...) }

// mustSomehow says that it has to fail, with what the RFC doesn't say.
func (w *want) mustSomehow() { w.refused, w.any = true, true }

func (w *want) allows(s nfs.Status) bool {
	if s == nfs.OK {
		return !w.refused
	}
	return w.any || slices.Contains(w.statuses, s)
}

func (w *want) String() string {
	var words []string
	if !w.refused {
		words = append(words, "NFS3_OK")
	}
	for _, s := range w.statuses {
		words = append(words, s.Error())
	}
	if w.any {
		words = append(words, "any error")
	}
	return strings.Join(words, " or ")
}

// status checks how a step ended.
func (s *step) status(got nfs.Status, w *want) {
	s.answer = statusText(got)
	s.check(w.allows(got), "it ended with %s, want %s", s.answer, w)
}

func statusText(s nfs.Status) string {
	if s == nfs.OK {
		return "NFS3_OK"
	}
	return s.Error()
}

// object: an object is needed, of a kind.
func (w *want) object(c *Checker, n *node) {
	if !n.dead {
		return
	}
	if c.opts.RemovedStaysOpen || n.goneBehind {
		w.may(nfs.ErrStale)
		return
	}
	w.must(nfs.ErrStale)
}

// directory: d is needed as a directory, with some permissions.
func (w *want) directory(c *Checker, cl *client, d *node, need uint32) {
	w.object(c, d)
	switch {
	case d.kind != nfs.Directory:
		w.must(nfs.ErrNotDir)
	case !cl.permitted(d, need):
		w.must(nfs.ErrAcces, nfs.ErrPerm)
	}
}

// name: servers may refuse names, and have to refuse some.
func (w *want) name(name string) {
	switch {
	case len(name) > nfs.MaxName:
		w.must(nfs.ErrNameTooLong)
	case name == "" || strings.Contains(name, "/"):
		w.mustSomehow()
	}
}

// newName: as name, where something is to be made or to go.
func (w *want) newName(name string) {
	w.name(name)
	if name == "." || name == ".." {
		w.mustSomehow()
	}
}

func quoted(name string) string {
	if len(name) > 40 {
		return fmt.Sprintf("%q... (%d bytes)", name[:40], len(name))
	}
	return fmt.Sprintf("%q", name)
}
