package staged

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Who may no longer write a file is told so by the next WRITE: what the filer has let a user do ends with a change of the file's mode.
func TestE4_AChangeOfTheModeTakesRightsBack(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.root.Chmod(h, 0o666)
	other := r.root.As(7, 7)
	if w := other.Write(h, 0, nfs.FileSync, []byte("theirs")); w.Status != nfs.OK {
		t.Fatal(w.Status)
	}
	r.root.Chmod(h, 0o600)
	if w := other.Write(h, 0, nfs.FileSync, []byte("bypass")); w.Status != nfs.ErrAcces {
		t.Errorf("WRITE: %v", w.Status)
	}
	r.write(h, 6, []byte("ours"))
	if got := other.Read(h, 0, 6); got.Status != nfs.ErrAcces {
		t.Errorf("READ: %v, %q", got.Status, got.Data)
	}
	r.expect(h, []byte("theirsours"))
}

// After a restart nobody knows who wrote: the owner may, also where root is nobody.
func TestAfterARestartTheOwnerWritesWhereRootMayNot(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	nfstest.User{T: r.T(), FS: r.mem}.SetAttr(h, nfs.SetAttr{Mode: nfs.Some(uint32(0o644)), UID: nfs.Some(uint32(7)), GID: nfs.Some(uint32(7))})
	squash := func(c nfs.Caller, _ nfs.Procedure, _, _ nfs.Message, next func(nfs.Caller) error) error {
		if c.UID == 0 {
			c = nfs.Caller{UID: 65534, GID: 65534}
		}
		return next(c)
	}
	r.over(squash)
	if w := r.root.As(7, 7).Write(h, 0, nfs.FileSync, []byte("content")); w.Status != nfs.OK {
		t.Fatal(w.Status)
	}
	r.restart()
	r.drain()
	if got := r.mem.Get("a"); string(got) != "content" || r.Parked() > 0 {
		t.Errorf("the filer has %q, %d parked", got, r.Parked())
	}
}

// What one user may not write any more another does; and who wrote it has it committed.
func TestE1_WhatIsWrittenAsAnotherIsCommittedAsThat(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.root.Chmod(h, 0o666)
	if w := r.root.As(7, 7).Write(h, 0, nfs.FileSync, []byte("content")); w.Status != nfs.OK {
		t.Fatal(w.Status)
	}
	nfstest.User{T: r.T(), FS: r.mem}.Chmod(h, 0o600) // behind the gateway's back
	r.drain()
	r.mem.Restart()
	if got := r.mem.Get("a"); string(got) != "content" {
		t.Errorf("the log has forgotten it, and the filer has %q", got)
	}
}

// What the filer takes and then won't commit is saved as what it refuses at once is (PROTOCOL E4).
func TestE4_WhatTheFilerRefusesToCommitIsSaved(t *testing.T) {
	for _, status := range []nfs.Status{nfs.ErrDQuot, nfs.ErrAcces, nfs.ErrFBig} {
		t.Run(status.Error(), func(t *testing.T) {
			r := newRig(t, slow)
			h, other := r.mem.Put("a", nil), r.mem.Put("b", nil)
			r.over(func(c nfs.Caller, p nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
				if x, ok := a.(*nfs.CommitArgs); ok && bytes.Equal(x.File, h) {
					res.(*nfs.CommitResult).Status = status
					return nil
				}
				return next(c)
			})
			r.write(h, 0, []byte("content"))
			r.write(other, 0, []byte("kept"))
			r.drain()
			r.mem.Restart()
			if got := r.mem.Get("b"); string(got) != "kept" {
				t.Errorf("the other file has %q", got)
			}
			if c := r.root.Commit(h); c.Status != nfs.ErrIO {
				t.Errorf("COMMIT: %v", c.Status)
			}
			if data, err := os.ReadFile(filepath.Join(r.parks.path(h), "data")); err != nil || string(data) != "content" || r.Parked() != 1 {
				t.Errorf("saved: %q, %v, %d parked; the filer has %q", data, err, r.Parked(), r.mem.Get("a"))
			}
		})
	}
}

// A directory that is being written to does not keep who uses other files waiting.
func TestE4_SavingWhatIsRefusedKeepsNobodyWaiting(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.parks.saving.Lock() // as a slow disk would have it
	defer r.parks.saving.Unlock()
	r.write(h, 0, []byte("content"))
	r.expect(h, []byte("content"))
	if r.Parked() != 0 {
		t.Error("something is parked")
	}
}

// What is refused shows in no file's times.
func TestWhatIsRefusedChangesNoTimes(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	want := r.write(h, 0, []byte("content")).Wcc.After.Value
	other := r.root.As(7, 7)
	for name, refused := range map[string]nfs.Status{"WRITE": other.Write(h, 0, nfs.FileSync, []byte("x")).Status, "SETATTR": other.Chmod(h, 0o777).Status} {
		if refused == nfs.OK {
			t.Errorf("%s: %v", name, refused)
		}
	}
	r.drain()
	if got := r.root.GetAttr(h).Attr; timesOf(&got) != timesOf(&want) {
		t.Errorf("%+v, want %+v", timesOf(&got), timesOf(&want))
	}
}
