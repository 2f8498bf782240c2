package staged

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forebay/protocols/nfs"
)

// What is refused is saved however far behind in its file it is, be it that no file here is as long: no other file waits for it.
func TestE4_WhatIsRefusedIsSavedHoweverFarBehindItIs(t *testing.T) {
	const far = 20 << 40 // ext4 has 16 TiB
	r := newRig(t, slow)
	h, other := r.mem.Put("a", nil), r.mem.Put("b", nil)
	r.over(func(c nfs.Caller, p nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		if w, ok := a.(*nfs.WriteArgs); ok && len(w.Data) > 0 && w.Offset >= far {
			res.(*nfs.WriteResult).Status = nfs.ErrDQuot
			return nil
		}
		return longer(c, p, a, res, next)
	})
	r.write(h, far, []byte("content"))
	r.write(other, 0, []byte("other"))
	r.drain()
	if got := r.mem.Get("b"); string(got) != "other" || r.Parked() != 1 {
		t.Errorf("the filer has %q of the other file, %d parked", got, r.Parked())
	}
	saved := make([]byte, 7)
	f, err := os.Open(filepath.Join(r.parks.path(h), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(saved, far); err != nil {
		saved, _ = os.ReadFile(fmt.Sprintf("%s-%d", f.Name(), uint64(far)))
	}
	ranges, err := os.ReadFile(filepath.Join(r.parks.path(h), "ranges"))
	if string(saved) != "content" || string(ranges) != fmt.Sprintf("%d 7\n", uint64(far)) {
		t.Errorf("saved is %q, %q (%v)", saved, ranges, err)
	}
}

// What no file of the filer is long enough for is refused before it is answered, and not for good when it is carried.
func TestE4_ContentThatNoFileIsLongEnoughForIsNotLogged(t *testing.T) {
	const longest = 4 << 40
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		if w, ok := a.(*nfs.WriteArgs); ok && w.Offset+uint64(len(w.Data)) > longest {
			res.(*nfs.WriteResult).Status = nfs.ErrFBig
			return nil
		}
		err := next(c)
		if info, ok := res.(*nfs.FSInfoResult); ok {
			info.MaxFileSize = longest
		}
		return err
	})
	if w := r.root.Write(h, longest-1, nfs.Unstable, []byte("xx")); w.Status != nfs.ErrFBig {
		t.Error(w.Status)
	}
	r.write(h, longest-1, []byte("x"))
	r.drain()
	if got := r.root.Read(h, longest-1, 2); got.Status != nfs.OK || string(got.Data) != "x" || r.Parked() > 0 {
		t.Errorf("%v, %q, %d parked", got.Status, got.Data, r.Parked())
	}
}
