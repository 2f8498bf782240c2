package nfsmodel

import (
	"fmt"
	"slices"
	"strings"

	"forebay/protocols/nfs"
)

// node is an object of the model: a regular file, a directory or a symbolic link. One goroutine at a time uses it.
type node struct {
	kind           nfs.FileType
	handle         nfs.Handle
	fileID         uint64
	mode, uid, gid uint32
	modeFree       bool             // the server may choose the mode: the next one told is it
	otherMode      *uint32          // what the mode may be instead: the server's choice
	atime          clock            // may go backwards
	mtime, ctime   clock            // may not
	verifier       *nfs.Verifier    // of the exclusive CREATE that made it
	content        content          // of a regular file
	dirty          []span           // written unstably, and not committed
	target         string           // of a symbolic link
	entries        map[string]*node // of a directory
	places         []place          // where it is; a directory is in one
	dead           bool             // it has no place any more
	goneBehind     bool             // by another route: who has it open may go on
	cursor         *cursor          // the listing of the directory that is under way
	steps          []*step          // the last ones that concerned it
}

// place is a name in a directory.
type place struct {
	dir  *node
	name string
}

// span is a range of bytes.
type span struct{ from, to uint64 }

func newDirectory() *node {
	return &node{kind: nfs.Directory, entries: make(map[string]*node)}
}

// put makes n what is at p. Nothing may be there.
func (n *node) put(p place) {
	p.dir.entries[p.name] = n
	p.dir.entryChanged(p.name)
	n.places = append(n.places, p)
	n.dead = false
}

// take takes what is at p away from there.
func take(p place) {
	n := p.dir.entries[p.name]
	delete(p.dir.entries, p.name)
	p.dir.entryChanged(p.name)
	n.places = slices.DeleteFunc(n.places, func(q place) bool { return q == p })
	n.dead = len(n.places) == 0
}

// links is what nlink has to be. Some file systems say 1 of every directory.
func (n *node) links() uint32 {
	if n.kind != nfs.Directory {
		return uint32(len(n.places))
	}
	links := uint32(2)
	for _, e := range n.entries {
		if e.kind == nfs.Directory {
			links++
		}
	}
	if n.dead {
		return 0
	}
	return links
}

// within says whether n is d or below it.
func (n *node) within(d *node) bool {
	for n != d {
		if n.kind != nfs.Directory || len(n.places) == 0 {
			return false
		}
		n = n.places[0].dir
	}
	return true
}

// path is for people.
func (n *node) path() string {
	switch {
	case n.dead:
		return "(removed)"
	case len(n.places) == 0:
		return "."
	}
	return n.places[0].path()
}

func (p place) path() string {
	name := strings.Trim(fmt.Sprintf("%.16q", p.name), `"`)
	if d := p.dir.path(); d != "." {
		return d + "/" + name
	}
	return name
}

// sortedNames are a directory's, in an order that a seed repeats.
func (n *node) sortedNames() []string {
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// changed says that data, or entries, change; its attributes do.
func (n *node) changed() {
	n.mtime.touch()
	n.ctime.touch()
	n.verifier = nil
}
