package nfstest

import (
	"path"
	"strings"

	"forebay/protocols/nfs"
)

// Put makes a file of mode 0644 with a content, behind everybody's back, or replaces the content of the one that there is. Directories
// that its path lacks are made, of mode 0755; all belongs to root.
func (m *Mem) Put(name string, content []byte) nfs.Handle {
	m.mu.Lock()
	defer m.mu.Unlock()
	root := &nfs.Caller{}
	dir := m.root
	dirs, base := path.Split(strings.Trim(name, "/"))
	for _, part := range strings.FieldsFunc(dirs, func(r rune) bool { return r == '/' }) {
		next := dir.get(part)
		if next == nil {
			next, _ = m.make(root, dir, part, nfs.Directory, &nfs.SetAttr{Mode: nfs.Some[uint32](0o755)})
		}
		dir = next
	}
	n := dir.get(base)
	if n == nil {
		n, _ = m.make(root, dir, base, nfs.Regular, &nfs.SetAttr{Mode: nfs.Some[uint32](0o644)})
	}
	m.set(n, &nfs.SetAttr{Size: nfs.Some[uint64](0)}, m.tick())
	m.mu.pages += n.file.missing(0, len(content))
	n.file.writeAt(content, 0, true)
	return m.handle(n)
}

// Find returns the handle of what a path leads to, or nil.
func (m *Mem) Find(name string) nfs.Handle {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.walk(name); n != nil {
		return m.handle(n)
	}
	return nil
}

// Get returns the content of a file, or nil if there is none.
func (m *Mem) Get(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.walk(name)
	if n == nil || n.kind != nfs.Regular {
		return nil
	}
	p := make([]byte, n.file.size)
	n.file.readAt(p, 0)
	return p
}

func (m *Mem) walk(name string) *node {
	n := m.root
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' }) {
		if n == nil || n.kind != nfs.Directory {
			return nil
		}
		n = n.child(part)
	}
	return n
}
