package staged

import (
	"testing"
	"testing/synctest"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// A WRITE to a file that has been removed, or replaced, is refused, though the user might write it a moment ago.
func TestAFileThatIsRemovedIsNotWritten(t *testing.T) {
	for name, remove := range map[string]func(u nfstest.User, dir nfs.Handle) nfs.Status{
		"removed":  func(u nfstest.User, dir nfs.Handle) nfs.Status { return u.Remove(dir, "a").Status },
		"replaced": func(u nfstest.User, dir nfs.Handle) nfs.Status { return u.Rename(dir, "b", dir, "a").Status },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", nil)
			r.mem.Put("b", nil)
			r.write(h, 0, []byte("content"))
			r.drain()
			if s := remove(r.root, r.mem.Root()); s != nfs.OK {
				t.Fatal(s)
			}
			if w := r.root.Write(h, 0, nfs.FileSync, []byte("more")); w.Status != nfs.ErrStale {
				t.Errorf("WRITE: %v", w.Status)
			}
			r.drain()
			if r.Parked() != 0 {
				t.Error("it is parked")
			}
		})
	}
}

// A WRITE that comes while a file is removed that had no records is not logged behind the removal.
func TestAFileIsNotWrittenWhileItIsRemoved(t *testing.T) { synctest.Test(t, removedMeanwhile) }

func removedMeanwhile(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcRemove))
	removed, written := make(chan nfs.Status, 1), make(chan nfs.Status, 1)
	go func() { removed <- r.root.Remove(r.mem.Root(), "a").Status }()
	synctest.Wait()
	go func() { written <- r.root.Write(h, 0, nfs.FileSync, []byte("content")).Status }()
	synctest.Wait()
	trap.Release()
	if s := <-removed; s != nfs.OK {
		t.Error(s)
	}
	if s := <-written; s != nfs.ErrStale {
		t.Errorf("WRITE: %v", s)
	}
	r.drain()
	if r.Parked() != 0 {
		t.Error("it is parked")
	}
}

// A REMOVE waits for the file behind its name while another takes that name: it finds the other one without records, and keeps WRITEs of it out.
func TestAFileThatTakesANameIsNotWrittenWhileThatIsRemoved(t *testing.T) {
	synctest.Test(t, removedBehindARename)
}

func removedBehindARename(t *testing.T) {
	r := newRig(t, slow)
	h, dir := r.mem.Put("a", nil), r.mem.Root()
	r.mem.Put("b", nil)
	rename, remove := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcRename)), r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcRemove))
	renamed, removed, written := make(chan nfs.Status, 1), make(chan nfs.Status, 1), make(chan nfs.Status, 1)
	go func() { renamed <- r.root.Rename(dir, "a", dir, "b").Status }()
	synctest.Wait()
	go func() { removed <- r.root.Remove(dir, "b").Status }()
	synctest.Wait() // for what the name leads to yet
	rename.Release()
	synctest.Wait()
	go func() { written <- r.root.Write(h, 0, nfs.FileSync, []byte("content")).Status }()
	synctest.Wait()
	remove.Release()
	if s, then := <-renamed, <-removed; s != nfs.OK || then != nfs.OK {
		t.Errorf("RENAME: %v, REMOVE: %v", s, then)
	}
	if s := <-written; s != nfs.ErrStale {
		t.Errorf("WRITE: %v", s)
	}
	r.drain()
	if r.Parked() != 0 {
		t.Error("it is parked")
	}
}

// A filer that can't say now what is behind a name is not asked to empty that.
func TestACreateEmptiesNothingUnseen(t *testing.T) {
	for _, status := range []nfs.Status{nfs.ErrJukebox, nfs.ErrIO, nfs.ErrServerFault, nfs.ErrAcces} {
		t.Run(status.Error(), func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", nil)
			r.over(func(c nfs.Caller, p nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
				if x, ok := res.(*nfs.LookupResult); ok {
					x.Status = status
					return nil
				}
				return next(c)
			})
			r.write(h, 0, []byte("content"))
			if got := emptied(r, "a"); got != status {
				t.Errorf("CREATE: %v", got)
			}
			r.expect(h, []byte("content"))
			r.drain()
			if got := r.mem.Get("a"); string(got) != "content" {
				t.Errorf("the filer has %q", got)
			}
		})
	}
}

func emptied(r *rig, name string) nfs.Status {
	return r.root.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: r.mem.Root(), Name: name}, Attr: nfs.SetAttr{Size: nfs.Some(uint64(0))}}).Status
}

// What a CREATE has emptied is empty, also if the name has come to lead to another file meanwhile.
func TestACreateEmptiesWhatItFinds(t *testing.T) {
	r := newRig(t, slow)
	dir := r.mem.Root()
	r.mem.Put("a", nil)
	h := r.mem.Put("b", nil)
	r.write(h, 0, []byte("content"))
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcCreate))
	done := make(chan nfs.Status)
	go func() { done <- emptied(r, "a") }()
	<-trap.Caught
	others := nfstest.User{T: r.T(), FS: r.mem}
	others.Rename(dir, "b", dir, "a")
	trap.Release()
	if s := <-done; s != nfs.OK {
		t.Fatal(s)
	}
	r.expect(h, nil)
	r.drain()
	if got := r.mem.Get("a"); len(got) > 0 {
		t.Errorf("the filer has %q", got)
	}
}

// A CREATE of which the filer tells nothing has emptied something all the same.
func TestASizeIsAskedForAfterACreateThatToldNothing(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.over(func(c nfs.Caller, _ nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
		err := next(c)
		if x, ok := res.(*nfs.CreateResult); ok {
			x.Object, x.Attr = nfs.Optional[nfs.Handle]{}, nfs.PostOpAttr{}
		}
		return err
	})
	r.write(h, 0, []byte("content"))
	r.drain()
	if s := emptied(r, "a"); s != nfs.OK {
		t.Fatal(s)
	}
	if w := r.write(h, 0, []byte("x")); w.Wcc.After.Value.Size != 1 {
		t.Errorf("%d bytes", w.Wcc.After.Value.Size)
	}
	r.expect(h, []byte("x"))
}
