package nfstest

import (
	"cmp"
	"slices"
	"strings"

	"forebay/protocols/nfs"
)

// The first two cookies are those of "." and "..".
const (
	cookieDot    = 1
	cookieDotDot = 2
)

// directory has entries in the order in which they were made: cookies only grow, and an entry keeps its own.
type directory struct {
	names      map[string]*entry
	order      []*entry
	lastCookie uint64
}

type entry struct {
	name   string
	cookie uint64
	node   *node
}

func newDirectory() directory {
	return directory{names: make(map[string]*entry), lastCookie: cookieDotDot}
}

func (d *directory) get(name string) *node {
	if e := d.names[name]; e != nil {
		return e.node
	}
	return nil
}

func (d *directory) put(name string, n *node) {
	d.lastCookie++
	e := &entry{name, d.lastCookie, n}
	d.names[name] = e
	d.order = append(d.order, e)
}

func (d *directory) drop(name string) {
	e := d.names[name]
	delete(d.names, name)
	i := d.after(e.cookie - 1)
	d.order = slices.Delete(d.order, i, i+1)
}

// after is the index of the first entry behind a cookie.
func (d *directory) after(cookie uint64) int {
	i, found := slices.BinarySearchFunc(d.order, cookie, func(e *entry, c uint64) int { return cmp.Compare(e.cookie, c) })
	if found {
		i++
	}
	return i
}

// entriesAfter lists a directory from behind a cookie, with "." and "..".
func (n *node) entriesAfter(cookie uint64) []*entry {
	var list []*entry
	for _, e := range []*entry{{".", cookieDot, n}, {"..", cookieDotDot, n.parent}} {
		if e.cookie > cookie {
			list = append(list, e)
		}
	}
	return append(list, n.order[n.after(cookie):]...)
}

// child is what a name in a directory means, "." and ".." too.
func (n *node) child(name string) *node {
	switch name {
	case ".":
		return n
	case "..":
		return n.parent
	}
	return n.get(name)
}

// checkName looks at a name that is to be made or removed.
func checkName(name string) nfs.Status {
	switch {
	case name == "" || strings.ContainsAny(name, "/\x00"):
		return nfs.ErrInval
	case len(name) > nfs.MaxName:
		return nfs.ErrNameTooLong
	}
	return nfs.OK
}

func isDots(name string) bool { return name == "." || name == ".." }

func (m *Mem) lookup(c *nfs.Caller, a *nfs.DirOp, r *nfs.LookupResult) nfs.Status {
	dir, s := m.findDir(c, a.Dir, mayExecute)
	r.DirAttr = m.postOp(dir)
	if s != nfs.OK {
		return s
	}
	if s := checkName(a.Name); s != nfs.OK {
		return s
	}
	n := dir.child(a.Name)
	if n == nil {
		return nfs.ErrNoEnt
	}
	r.Object, r.Attr = m.handle(n), m.postOp(n)
	return nfs.OK
}
