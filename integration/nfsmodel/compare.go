package nfsmodel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"forebay/protocols/nfs"
)

// Compare compares the model with a folder that holds the export, which the filer's own programs see: names, types, links, sizes, contents,
// targets, modes and owners. Everything has to be there: Commit goes before it, and what makes a cache write back.
func (c *Checker) Compare(export string) error {
	var wrong []error
	c.compare(c.base, filepath.Join(export, c.opts.Folder), &wrong)
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("seed %d, after step %d: the folder behind differs: %w", c.opts.Seed, c.count, errors.Join(wrong...))
}

func (c *Checker) compare(n *node, path string, wrong *[]error) {
	n.atime.touch() // by our own reading
	if err := compareNode(n, path); err != nil {
		var history string
		for _, s := range n.steps {
			history += "\n  " + s.String()
		}
		*wrong = append(*wrong, fmt.Errorf("%s: %w%s", n.path(), err, history))
	}
	for _, name := range n.sortedNames() {
		c.compare(n.entries[name], filepath.Join(path, name), wrong)
	}
}

func compareNode(n *node, path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if kind := kindOf(fi.Mode()); kind != n.kind {
		return fmt.Errorf("it has type %d, want %d", kind, n.kind)
	}
	st := fi.Sys().(*syscall.Stat_t)
	if st.Uid != n.uid || st.Gid != n.gid {
		return fmt.Errorf("it belongs to %d:%d, want %d:%d", st.Uid, st.Gid, n.uid, n.gid)
	}
	if n.kind != nfs.SymbolicLink && st.Mode&0o7777 != n.mode {
		return fmt.Errorf("it has mode %o, want %o", st.Mode&0o7777, n.mode)
	}
	switch n.kind {
	case nfs.Regular:
		if uint32(st.Nlink) != n.links() {
			return fmt.Errorf("it has %d links, want %d", st.Nlink, n.links())
		}
		return compareContent(n, path)
	case nfs.SymbolicLink:
		if target, err := os.Readlink(path); err != nil || target != n.target {
			return fmt.Errorf("it leads to %q, want %q: %w", target, n.target, err)
		}
	case nfs.Directory:
		return compareNames(n, path)
	}
	return nil
}

func kindOf(m os.FileMode) nfs.FileType {
	switch {
	case m.IsRegular():
		return nfs.Regular
	case m.IsDir():
		return nfs.Directory
	case m&os.ModeSymlink != 0:
		return nfs.SymbolicLink
	}
	return nfs.FIFO
}

func compareNames(n *node, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	if want := n.sortedNames(); !slices.Equal(names, want) {
		return fmt.Errorf("it holds %q, want %q", names, want)
	}
	return nil
}

// compareContent reads what of the file is no hole, and what of the model is none: the rest is zero on both sides.
func compareContent(n *node, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if uint64(size) != n.content.size {
		return fmt.Errorf("it has size %d, want %d", size, n.content.size)
	}
	for _, number := range n.content.numbers() {
		if err := comparePage(n, f, number); err != nil {
			return err
		}
	}
	const seekData, seekHole = 3, 4
	for off := int64(0); off < size; {
		start, err := f.Seek(off, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return nil
		} else if err != nil {
			return err
		}
		if off, err = f.Seek(start, seekHole); err != nil {
			return err
		}
		for number := uint64(start) / pageSize; number*pageSize < uint64(off); number++ {
			if err := comparePage(n, f, number); err != nil {
				return err
			}
		}
	}
	return nil
}

func comparePage(n *node, f *os.File, number uint64) error {
	p := make([]byte, min(pageSize, n.content.size-number*pageSize))
	if _, err := f.ReadAt(p, int64(number*pageSize)); err != nil {
		return err
	}
	want := n.content.read(number*pageSize, len(p))
	if bytes.Equal(p, want) {
		return nil
	}
	i := 0
	for p[i] == want[i] {
		i++
	}
	off := number*pageSize + uint64(i)
	return fmt.Errorf("wrong bytes at %d: %x, want %x; %s", off, head(p[i:]), head(want[i:]), whence(n, off, p[i:]))
}
