package export

import (
	"context"
	"testing"
	"testing/synctest"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// withoutBefore has an array not say with a WRITE what the file was like before.
func withoutBefore(o *Options) {
	lying(nfs.ProcWrite, func(r nfs.Message) error {
		r.(*nfs.WriteResult).Wcc.Before.Follows = false
		return nil
	})(o)
}

// silentRig is over an array that is known to be so.
func silentRig(t *testing.T) (*rig, nfs.Handle) {
	t.Helper()
	r := newRig(t, withoutBefore)
	r.root.Write(r.mem.Put("another", nil), 0, nfs.FileSync, of('a', 10))
	h := r.mem.Put("a", of('a', 40960))
	r.expect(h, of('a', 40960))
	return r, h
}

func TestAChangeBehindOurBackIsNoticedWhereTheArrayDoesNotSayWhatWasBefore(t *testing.T) {
	r := newRig(t, withoutBefore)
	h := r.mem.Put("a", of('a', 40960))
	for range 2 { // the first time it isn't known yet that the array doesn't say so
		r.expect(h, r.mem.Get("a"))
		nfstest.User{T: t, FS: r.mem}.Write(h, 4096, nfs.FileSync, of('b', 4096))
		r.overlapping(h, 8192, of('c', 4096))
		r.expect(h, r.mem.Get("a"))
		nfstest.User{T: t, FS: r.mem}.Write(h, 4096, nfs.FileSync, of('d', 4096))
		r.root.Write(h, 0, nfs.FileSync, of('e', 10))
		r.expect(h, r.mem.Get("a"))
	}
}

func TestOurOwnWritesDropNothingWhereTheArrayDoesNotSayWhatWasBefore(t *testing.T) {
	r, h := silentRig(t)
	n := r.bytesAsked(func() {
		r.root.Write(h, 8192, nfs.FileSync, of('b', 4096))
		r.overlapping(h, 16384, of('c', 4096))
		r.expect(h, r.mem.Get("a"))
	})
	if n != 0 {
		t.Errorf("%d bytes are read again", n)
	}
}

// What a WRITE does that overlaps would show in what the array is asked before another.
func TestNoWriteOvertakesTheQuestionWhatTheFileIsLike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := silentRig(t)
		asked := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcGetAttr))
		calls := r.mem.Calls(nfs.ProcWrite)
		first := start(func() { r.root.Write(h, 0, nfs.FileSync, of('b', 4096)) })
		<-asked.Caught
		second := start(func() { r.root.Write(h, 8192, nfs.FileSync, of('c', 4096)) })
		ctx, cancel := context.WithCancel(t.Context())
		third := start(func() {
			if _, err := r.outcomeIn(ctx, nfs.ProcWrite, &nfs.WriteArgs{File: h, Offset: 16384, Data: of('d', 4096)}); err == nil {
				t.Error("a WRITE that was given up was answered")
			}
		})
		synctest.Wait()
		if n := r.mem.Calls(nfs.ProcWrite) - calls; n != 0 {
			t.Errorf("%d WRITEs before the answer", n)
		}
		cancel()
		<-third
		asked.Release()
		<-first
		<-second
		if n := r.bytesAsked(func() { r.expect(h, r.mem.Get("a")) }); n != 0 {
			t.Errorf("%d bytes are read again", n)
		}
	})
}

// Who gives up while he asks takes nothing from those who wait for the answer but what is cached.
func TestAWriteThatIsGivenUpBeforeTheAnswerLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := silentRig(t)
		asked := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcGetAttr))
		ctx, cancel := context.WithCancel(t.Context())
		first := start(func() { _, _ = r.outcomeIn(ctx, nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: of('b', 4096)}) })
		<-asked.Caught
		second := start(func() { r.root.Write(h, 8192, nfs.FileSync, of('c', 4096)) })
		synctest.Wait()
		cancel()
		<-first
		<-second
		asked.Release()
		r.expect(h, r.mem.Get("a"))
	})
}

// What nobody has read is not asked for.
func TestAFileThatIsOnlyWrittenIsNotAskedFor(t *testing.T) {
	r, _ := silentRig(t)
	h := r.mem.Put("b", of('b', 40960))
	r.root.GetAttr(h)
	calls := r.mem.Calls(nfs.ProcGetAttr)
	for range 4 {
		r.root.Write(h, 0, nfs.FileSync, of('c', 4096))
	}
	if n := r.mem.Calls(nfs.ProcGetAttr) - calls; n != 0 {
		t.Errorf("%d GETATTRs", n)
	}
}
