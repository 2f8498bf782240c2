package reconcile

import (
	"bytes"
	"errors"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// place is a file system with a file and a folder.
type place struct {
	nfstest.User
	mem        *nfstest.Mem
	root, file nfs.Handle
}

func newPlace(t *testing.T) *place {
	mem := nfstest.New(nfstest.Options{})
	p := &place{User: nfstest.User{T: t, FS: mem}, mem: mem, root: mem.Root(), file: mem.Put("file", []byte("content"))}
	p.Mkdir(p.root, "dir", 0o755)
	return p
}

func (p *place) at(name string) nfs.DirOp { return nfs.DirOp{Dir: p.root, Name: name} }

// remake takes the new name away and gives it to something else.
func remake(as func(p *place)) func(p *place) {
	return func(p *place) {
		if p.Remove(p.root, "new").Status != nfs.OK {
			p.Rmdir(p.root, "new")
		}
		as(p)
	}
}

func aFile(p *place) { p.Create(p.root, "new", 0o600) }
func aDir(p *place)  { p.Mkdir(p.root, "new", 0o700) }
func nothing(*place) {}
func aLink(to string) func(p *place) {
	return func(p *place) { p.Symlink(p.root, "new", to) }
}
func aNode(kind nfs.FileType, d nfs.Device) func(p *place) {
	return func(p *place) { p.Mknod(p.root, "new", kind, d) }
}

func ofDir(name string) func(p *place) nfs.Message {
	return func(p *place) nfs.Message { o := p.at(name); return &o }
}

// twice is a change that is executed twice, what others do in between, and what the second time comes to.
type twice struct {
	p       nfs.Procedure
	args    func(p *place) nfs.Message
	between func(p *place)
	want    nfs.Status
}

func cases() map[string]twice {
	disk := nfs.Device{Major: 8, Minor: 1}
	create := func(p *place) nfs.Message { return &nfs.CreateArgs{Where: p.at("new"), Mode: nfs.Guarded} }
	mkdir := func(p *place) nfs.Message { return &nfs.MkdirArgs{Where: p.at("new")} }
	symlink := func(p *place) nfs.Message { return &nfs.SymlinkArgs{Where: p.at("new"), Path: "to"} }
	device := func(p *place) nfs.Message {
		return &nfs.MknodArgs{Where: p.at("new"), Type: nfs.BlockDevice, Device: disk}
	}
	fifo := func(p *place) nfs.Message { return &nfs.MknodArgs{Where: p.at("new"), Type: nfs.FIFO} }
	link := func(p *place) nfs.Message { return &nfs.LinkArgs{File: p.file, Link: p.at("new")} }
	rename := func(p *place) nfs.Message { return &nfs.RenameArgs{From: p.at("file"), To: p.at("new")} }
	return map[string]twice{
		"REMOVE":                          {nfs.ProcRemove, ofDir("file"), nothing, nfs.OK},
		"RMDIR":                           {nfs.ProcRmdir, ofDir("dir"), nothing, nfs.OK},
		"RMDIR, filled again":             {nfs.ProcRmdir, ofDir("dir"), func(p *place) { p.mem.Put("dir/x", nil) }, nfs.ErrNotEmpty},
		"RENAME":                          {nfs.ProcRename, rename, nothing, nfs.OK},
		"RENAME, moved on":                {nfs.ProcRename, rename, func(p *place) { p.Rename(p.root, "new", p.root, "newer") }, nfs.ErrNoEnt},
		"RENAME onto another":             {nfs.ProcRename, rename, remake(aFile), nfs.OK},
		"CREATE":                          {nfs.ProcCreate, create, nothing, nfs.OK},
		"CREATE, a folder":                {nfs.ProcCreate, create, remake(aDir), nfs.ErrExist},
		"MKDIR":                           {nfs.ProcMkdir, mkdir, nothing, nfs.OK},
		"MKDIR, a file":                   {nfs.ProcMkdir, mkdir, remake(aFile), nfs.ErrExist},
		"SYMLINK":                         {nfs.ProcSymlink, symlink, nothing, nfs.OK},
		"SYMLINK, to elsewhere":           {nfs.ProcSymlink, symlink, remake(aLink("elsewhere")), nfs.ErrExist},
		"SYMLINK, a file":                 {nfs.ProcSymlink, symlink, remake(aFile), nfs.ErrExist},
		"MKNOD of a device":               {nfs.ProcMknod, device, nothing, nfs.OK},
		"MKNOD of a device, another":      {nfs.ProcMknod, device, remake(aNode(nfs.BlockDevice, nfs.Device{Major: 8, Minor: 2})), nfs.ErrExist},
		"MKNOD of a device, another kind": {nfs.ProcMknod, device, remake(aNode(nfs.CharacterDevice, disk)), nfs.ErrExist},
		"MKNOD of a FIFO":                 {nfs.ProcMknod, fifo, nothing, nfs.OK},
		"LINK":                            {nfs.ProcLink, link, nothing, nfs.OK},
		"LINK, another file":              {nfs.ProcLink, link, remake(aFile), nfs.ErrExist},
	}
}

func TestTheSecondExecutionIsPutRight(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			a := c.args(p)
			_, r := nfs.NewMessages(c.p)
			if p.Do(c.p, a, r); *nfs.StatusOf(r) != nfs.OK {
				t.Fatal(*nfs.StatusOf(r))
			}
			c.between(p)
			_, r = nfs.NewMessages(c.p)
			p.Do(c.p, a, r)
			if err := Change(t.Context(), p.mem, &p.Caller, c.p, a, r); err != nil {
				t.Fatal(err)
			}
			if got := *nfs.StatusOf(r); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			made, ok := r.(*nfs.CreateResult)
			if ok && c.want == nfs.OK && (!bytes.Equal(made.Object.Value, p.mem.Find("new")) || made.Attr.Value != p.GetAttr(made.Object.Value).Attr) {
				t.Errorf("%+v", made)
			}
		})
	}
}

func TestAnAnswerThatSaysNothingOfAnEarlierOneStays(t *testing.T) {
	p := newPlace(t)
	for _, s := range []nfs.Status{nfs.OK, nfs.ErrAcces, nfs.ErrNoSpc, nfs.ErrStale, nfs.ErrJukebox} {
		r := &nfs.WccResult{Status: s}
		o := p.at("file")
		if err := Change(t.Context(), p.mem, &p.Caller, nfs.ProcRemove, &o, r); err != nil || r.Status != s {
			t.Errorf("%v has become %v, %v", s, r.Status, err)
		}
	}
}

func TestALookThatFailsLeavesTheOutcomeUnknown(t *testing.T) {
	p := newPlace(t)
	for _, look := range []nfs.Procedure{nfs.ProcLookup, nfs.ProcReadLink} {
		p.Symlink(p.root, "new", "to")
		trap := p.mem.Fail(nfstest.Before, nfs.ErrAway, nfstest.Only(look))
		r := &nfs.CreateResult{Status: nfs.ErrExist}
		err := Change(t.Context(), p.mem, &p.Caller, nfs.ProcSymlink, &nfs.SymlinkArgs{Where: p.at("new"), Path: "to"}, r)
		if !errors.Is(err, nfs.ErrOutcomeUnknown) || !errors.Is(err, nfs.ErrAway) {
			t.Errorf("%v: %v", look, err)
		}
		trap.Release()
	}
}
