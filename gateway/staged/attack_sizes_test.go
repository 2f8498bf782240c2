package staged

import (
	"math"
	"testing"

	"forebay/protocols/nfs"
)

// What lies behind the end of a slot is the filer's to answer, and lasts when it has: no COMMIT speaks for it.
func TestWhatNoRecordReachesIsWrittenByTheFilerItself(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	const far = uint64(slotSize) - 3
	var stable nfs.Stable
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		w, ok := a.(*nfs.WriteArgs)
		if !ok || w.Offset < far {
			return next(c)
		}
		stable = w.Stable
		*res.(*nfs.WriteResult) = nfs.WriteResult{Count: uint32(len(w.Data)), Committed: w.Stable, Verifier: nfs.Verifier{99}}
		return nil
	})
	r.write(h, 0, []byte("near"))
	w := r.root.Write(h, far, nfs.Unstable, []byte("content"))
	if w.Status != nfs.OK || stable != nfs.FileSync || w.Committed != nfs.FileSync || w.Verifier != (nfs.Verifier{7}) {
		t.Errorf("%+v, asked for as %v", w, stable)
	}
	if got := r.mem.Get("a"); string(got) != "near" {
		t.Errorf("it is written before the filer has %q", got)
	}
}

// A READ that ends behind the slot sees what the log has before that.
func TestAReadAcrossTheEndOfASlotSeesTheLog(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.over(longer)
	r.write(h, uint64(slotSize)-10, []byte("0123456789"))
	if got := r.root.Read(h, uint64(slotSize)-10, 100); got.Status != nfs.OK || string(got.Data) != "0123456789" {
		t.Errorf("%v, %q", got.Status, got.Data)
	}
}

// longer is a filer that says to have files as long as there can be.
func longer(c nfs.Caller, _ nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
	err := next(c)
	if info, ok := res.(*nfs.FSInfoResult); ok {
		info.MaxFileSize = math.MaxInt64
	}
	return err
}

// Handles are as long as NFS has them.
func TestALongHandleIsLogged(t *testing.T) {
	r := newRig(t, slow)
	long := make(nfs.Handle, nfs.MaxHandle)
	short := r.mem.Put("a", nil)
	copy(long, short)
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, _ nfs.Message, next func(nfs.Caller) error) error {
		switch a := a.(type) {
		case *nfs.WriteArgs:
			defer func(h nfs.Handle) { a.File = h }(a.File)
			a.File = short
		case *nfs.CommitArgs:
			a.File = short
		case *nfs.HandleArgs:
			a.Object = short
		}
		return next(c)
	})
	r.write(long, 0, []byte("content"))
	r.restart()
	r.drain()
	if got := r.mem.Get("a"); string(got) != "content" {
		t.Errorf("the filer has %q", got)
	}
}
