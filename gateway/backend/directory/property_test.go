package directory_test

import (
	"bytes"
	"cmp"
	"os"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"forebay/gateway/backend/directory"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// TestAFolderDoesWhatTheModelDoes compares the answers to random calls: statuses, attributes, names and contents.
func TestAFolderDoesWhatTheModelDoes(t *testing.T) {
	where := folderIn(t, "/dev/shm")
	rapid.Check(t, func(t *rapid.T) {
		path, err := os.MkdirTemp(where, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(path)
		d, err := directory.Open(directory.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		m := nfstest.New(nfstest.Options{})
		w := &twins{fs: [2]nfs.FileSystem{d, m}, objects: []twin{{d.Root(), m.Root()}}}
		w.do(t, &users[0], nfs.ProcSetAttr, func(h handles) nfs.Message {
			return &nfs.SetAttrArgs{Object: h(0), Attr: nfs.SetAttr{Mode: nfs.Some[uint32](0o777)}}
		})
		t.Repeat(map[string]func(*rapid.T){
			"create": w.create, "make": w.makeNode, "remove": w.remove, "rename": w.rename, "link": w.link, "look up": w.lookup, "set": w.set,
			"write": w.write, "read": w.read, "access": w.access, "list": w.list, "read link": w.readLink,
		})
	})
}

func (w *twins) keepMade(t *rapid.T, results [2]nfs.Message) {
	t.Helper()
	if r, m := results[0].(*nfs.CreateResult), results[1].(*nfs.CreateResult); r.Status == nfs.OK {
		w.keep(t, r.Object.Value, m.Object.Value)
	}
}

func (w *twins) create(t *rapid.T) {
	dir, name := w.object(t), name(t)
	how := nfs.CreateMode(rapid.IntRange(0, 2).Draw(t, "how"))
	attr := nfs.SetAttr{Mode: nfs.Some(mode(t))}
	if rapid.Bool().Draw(t, "sized") {
		attr.Size = nfs.Some(rapid.Uint64Range(0, 9000).Draw(t, "size"))
	}
	w.creates++ // of one exclusive create none is a repetition, which the model tells for longer
	v := nfs.Verifier{7: byte(w.creates), 6: byte(w.creates >> 8)}
	w.keepMade(t, w.do(t, w.user(t), nfs.ProcCreate, func(h handles) nfs.Message {
		a := &nfs.CreateArgs{Where: nfs.DirOp{Dir: h(dir), Name: name}, Mode: how}
		if a.Mode == nfs.Exclusive {
			a.Verifier = v
		} else {
			a.Attr = attr
		}
		return a
	}))
}

func (w *twins) makeNode(t *rapid.T) {
	dir, name, attr, c := w.object(t), name(t), nfs.SetAttr{Mode: nfs.Some(mode(t))}, w.user(t)
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		kind := nfs.FileType(rapid.IntRange(1, 7).Draw(t, "type"))
		w.keepMade(t, w.do(t, c, nfs.ProcMknod, func(h handles) nfs.Message {
			return &nfs.MknodArgs{Where: nfs.DirOp{Dir: h(dir), Name: name}, Type: kind, Attr: attr}
		}))
	case 1:
		w.keepMade(t, w.do(t, c, nfs.ProcSymlink, func(h handles) nfs.Message {
			return &nfs.SymlinkArgs{Where: nfs.DirOp{Dir: h(dir), Name: name}, Path: "some/where"}
		}))
	default:
		w.keepMade(t, w.do(t, c, nfs.ProcMkdir, func(h handles) nfs.Message {
			return &nfs.MkdirArgs{Where: nfs.DirOp{Dir: h(dir), Name: name}, Attr: attr}
		}))
	}
}

func (w *twins) lookup(t *rapid.T) {
	dir, name := w.object(t), rapid.SampledFrom([]string{"a", "b", "c", ".", ".."}).Draw(t, "name")
	results := w.do(t, w.user(t), nfs.ProcLookup, func(h handles) nfs.Message { return &nfs.DirOp{Dir: h(dir), Name: name} })
	if r, m := results[0].(*nfs.LookupResult), results[1].(*nfs.LookupResult); r.Status == nfs.OK {
		w.keep(t, r.Object, m.Object)
	}
}

// named looks a name up in the model, as root.
func (w *twins) named(t *rapid.T, dir int, name string) (r nfs.LookupResult) {
	if err := w.fs[1].Do(t.Context(), &users[0], nfs.ProcLookup, &nfs.DirOp{Dir: w.objects[dir][1], Name: name}, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *twins) remove(t *rapid.T) {
	dir, name := w.object(t), name(t)
	p := rapid.SampledFrom([]nfs.Procedure{nfs.ProcRemove, nfs.ProcRmdir}).Draw(t, "procedure")
	w.do(t, w.user(t), p, func(h handles) nfs.Message { return &nfs.DirOp{Dir: h(dir), Name: name} })
}

func (w *twins) rename(t *rapid.T) {
	from, to, name, as, c := w.object(t), w.object(t), name(t), name(t), w.user(t)
	source, target := w.named(t, from, name), w.named(t, to, as)
	if from != to || source.Status == nfs.OK && bytes.Equal(source.Object, target.Object) {
		// On Linux, who moves a directory must be able to write to it, and everybody may rename something to what it is called already.
		c = &users[0]
	}
	w.do(t, c, nfs.ProcRename, func(h handles) nfs.Message {
		return &nfs.RenameArgs{From: nfs.DirOp{Dir: h(from), Name: name}, To: nfs.DirOp{Dir: h(to), Name: as}}
	})
}

// link links as root: to others the kernel's fs.protected_hardlinks forbids what the model allows.
func (w *twins) link(t *rapid.T) {
	file, dir, name := w.object(t), w.object(t), name(t)
	w.do(t, &users[0], nfs.ProcLink, func(h handles) nfs.Message {
		return &nfs.LinkArgs{File: h(file), Link: nfs.DirOp{Dir: h(dir), Name: name}}
	})
}

func (w *twins) set(t *rapid.T) {
	object := w.object(t)
	r := w.do(t, &users[0], nfs.ProcGetAttr, func(h handles) nfs.Message { return &nfs.HandleArgs{Object: h(object)} })[0].(*nfs.GetAttrResult)
	var attr nfs.SetAttr
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		if r.Attr.Type == nfs.SymbolicLink {
			return // Linux keeps no mode of theirs
		}
		attr.Mode = nfs.Some(mode(t))
	case 1:
		attr.Size = nfs.Some(rapid.Uint64Range(0, 9000).Draw(t, "size"))
	case 2:
		attr.UID = nfs.Some(rapid.SampledFrom([]uint32{0, 1000, 1001}).Draw(t, "uid"))
	case 3:
		attr.GID = nfs.Some(rapid.SampledFrom([]uint32{0, 100, 7}).Draw(t, "gid"))
	case 4:
		attr.Mtime.How = nfs.TimeHow(rapid.IntRange(0, 2).Draw(t, "mtime"))
		attr.Atime.How = nfs.TimeHow(rapid.IntRange(0, 2).Draw(t, "atime"))
	}
	w.do(t, w.user(t), nfs.ProcSetAttr, func(h handles) nfs.Message { return &nfs.SetAttrArgs{Object: h(object), Attr: attr} })
}

func (w *twins) write(t *rapid.T) {
	file, off := w.object(t), rapid.Uint64Range(0, 9000).Draw(t, "off")
	p := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(t, "byte"))}, rapid.IntRange(0, 5000).Draw(t, "length"))
	stable := nfs.Stable(rapid.IntRange(0, 2).Draw(t, "stable"))
	w.do(t, w.user(t), nfs.ProcWrite, func(h handles) nfs.Message {
		return &nfs.WriteArgs{File: h(file), Offset: off, Stable: stable, Data: p}
	})
}

func (w *twins) read(t *rapid.T) {
	file, off, n := w.object(t), rapid.Uint64Range(0, 9000).Draw(t, "off"), rapid.Uint32Range(0, 9000).Draw(t, "n")
	w.do(t, w.user(t), nfs.ProcRead, func(h handles) nfs.Message { return &nfs.ReadArgs{File: h(file), Offset: off, Count: n} })
}

func (w *twins) access(t *rapid.T) {
	object := w.object(t)
	w.do(t, w.user(t), nfs.ProcAccess, func(h handles) nfs.Message { return &nfs.AccessArgs{Object: h(object), Access: 0x3f} })
}

func (w *twins) readLink(t *rapid.T) {
	object := w.object(t)
	w.do(t, w.user(t), nfs.ProcReadLink, func(h handles) nfs.Message { return &nfs.HandleArgs{Object: h(object)} })
}

// list compares what two listings name, in any order.
func (w *twins) list(t *rapid.T) {
	dir, c := w.object(t), w.user(t)
	var names [2][]nfs.Entry
	var status [2]nfs.Status
	for i := range w.fs {
		var r nfs.ReadDirResult
		a := nfs.ReadDirArgs{Dir: w.objects[dir][i], Count: 1 << 16}
		if err := w.fs[i].Do(t.Context(), c, nfs.ProcReadDir, &a, &r); err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Entries {
			names[i] = append(names[i], nfs.Entry{Name: e.Name})
		}
		slices.SortFunc(names[i], func(a, b nfs.Entry) int { return cmp.Compare(a.Name, b.Name) })
		status[i] = r.Status
	}
	if status[0] != status[1] || !reflect.DeepEqual(names[0], names[1]) {
		t.Fatalf("the folder: %v, %v\nthe model:  %v, %v", status[0], names[0], status[1], names[1])
	}
}
