package nfstest

import "forebay/protocols/nfs"

const (
	pageSize    = 4096
	maxFileSize = 1<<43 - 1
)

type page = [pageSize]byte

// file is the content of a regular file. A page that isn't there is a hole.
type file struct {
	size  uint64
	pages map[uint64]*page

	// What a restart brings back where that differs: pages, nil for a hole, and unless settled, the size and times.
	disk      map[uint64]*page
	settled   bool
	diskSize  uint64
	diskMtime nfs.Time
	diskCtime nfs.Time
}

func newFile() file {
	return file{pages: make(map[uint64]*page), disk: make(map[uint64]*page), settled: true}
}

// readAt copies what there is from off.
func (f *file) readAt(p []byte, off uint64) int {
	if off >= f.size {
		return 0
	}
	p = p[:min(uint64(len(p)), f.size-off)]
	for done := 0; done < len(p); {
		at := off + uint64(done)
		part := p[done:min(len(p), done+int(pageSize-at%pageSize))]
		if g := f.pages[at/pageSize]; g != nil {
			copy(part, g[at%pageSize:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(p)
}

// missing is how many pages a write adds.
func (f *file) missing(off uint64, n int) (pages uint64) {
	if n == 0 {
		return 0
	}
	for i := off / pageSize; i <= (off+uint64(n)-1)/pageSize; i++ {
		if f.pages[i] == nil {
			pages++
		}
	}
	return pages
}

// writeAt writes; stable says whether a restart may take it back.
func (f *file) writeAt(p []byte, off uint64, stable bool) {
	end := off + uint64(len(p))
	for len(p) > 0 {
		n := f.writePage(p, off, stable)
		p, off = p[n:], off+uint64(n)
	}
	f.size = max(f.size, end)
	if stable {
		f.diskSize = max(f.diskSize, end)
	}
}

// writePage writes what of p lies in the first page, and returns how much that is.
func (f *file) writePage(p []byte, off uint64, stable bool) int {
	i, at := off/pageSize, off%pageSize
	g, old := f.pages[i], f.disk[i]
	_, differs := f.disk[i]
	if !differs && !stable {
		f.disk[i] = clone(g)
	}
	if g == nil {
		g = new(page)
		f.pages[i] = g
	}
	if differs && stable {
		if old == nil {
			old = new(page)
			f.disk[i] = old
		}
		copy(old[at:], p)
	}
	return copy(g[at:], p)
}

func clone(g *page) *page {
	if g == nil {
		return nil
	}
	c := *g
	return &c
}

// truncate sets the size, for good.
func (f *file) truncate(size uint64) {
	for _, pages := range []map[uint64]*page{f.pages, f.disk} {
		for i, g := range pages {
			switch {
			case i*pageSize >= size:
				delete(pages, i)
			case g != nil && (i+1)*pageSize > size:
				clear(g[size%pageSize:])
			}
		}
	}
	f.size, f.diskSize = size, size
}

// unsettle notes what a restart brings back, before a first write that may be lost.
func (n *node) unsettle() {
	if f := &n.file; f.settled {
		f.settled, f.diskSize, f.diskMtime, f.diskCtime = false, f.size, n.mtime, n.ctime
	}
}

// settle makes the attributes durable, as every change but a WRITE does, and size, unless parts of the data are still to be.
func (n *node) settle() {
	f := &n.file
	f.diskMtime, f.diskCtime = n.mtime, n.ctime
	if len(f.disk) == 0 {
		f.settled = true
	}
}

// commit makes a range durable; an end of 0 is that of the file.
func (n *node) commit(from, end uint64) {
	f := &n.file
	if end == 0 || end > f.size {
		end = f.size
	}
	for i := range f.disk {
		if i*pageSize < end && (i+1)*pageSize > from {
			delete(f.disk, i)
		}
	}
	f.diskSize = max(f.diskSize, end)
	n.settle()
}

// lose takes back what isn't durable.
func (n *node) lose(m *Mem) {
	f := &n.file
	if n.kind != nfs.Regular || f.settled {
		return
	}
	m.mu.pages -= uint64(len(f.pages))
	for i, g := range f.disk {
		if g == nil {
			delete(f.pages, i)
		} else {
			f.pages[i] = g
		}
	}
	clear(f.disk)
	n.mtime, n.ctime = f.diskMtime, f.diskCtime
	f.truncate(f.diskSize)
	f.settled = true
	m.mu.pages += uint64(len(f.pages))
}
