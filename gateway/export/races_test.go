package export

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// at means WRITEs at an offset.
func at(off uint64) nfstest.Which {
	return func(p nfs.Procedure, a nfs.Message) bool {
		return p == nfs.ProcWrite && a.(*nfs.WriteArgs).Offset == off
	}
}

// start runs f, and returns what is closed at its end.
func start(f func()) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	return ended
}

// A WRITE that is answered after a LINK needn't know of it.
func TestAttributesOfAWriteThatALinkOvertookAreNotTakenForTrue(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	r.root.GetAttr(h)
	late := r.mem.Hold(nfstest.After, at(0))
	written := start(func() { r.root.Write(h, 0, nfs.FileSync, of('b', 100)) })
	<-late.Caught
	r.root.Link(h, r.mem.Root(), "b")
	late.Release()
	<-written
	if got := r.root.GetAttr(h); got.Attr.Nlink != 2 {
		t.Errorf("%d links", got.Attr.Nlink)
	}
}

// While WRITEs overlap the cache is dropped, as the array has restarted: what the earlier one brought is less than what the later one did.
func TestE1_AttributesOfAWriteThatADropOvertookAreNotTakenForTrue(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", nil)
	r.root.GetAttr(h)
	late := r.mem.Hold(nfstest.After, at(0))
	written := start(func() { r.root.Write(h, 0, nfs.FileSync, of('a', 100)) })
	<-late.Caught
	r.root.Write(h, 8192, nfs.FileSync, of('b', 100))
	r.export.Drop()
	late.Release()
	<-written
	if got := r.root.GetAttr(h); got.Attr.Size != 8292 {
		t.Errorf("size %d", got.Attr.Size)
	}
}

// Who is told of a new verifier may take it that nothing of before is served any more.
func TestE1_NobodyIsToldOfANewVerifierBeforeAllIsDropped(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	r.root.Write(h, 0, nfs.Unstable, of('b', 100))
	n := r.export.table.find(h)
	r.mem.Restart()
	n.mu.Lock() // which a drop waits for
	var written []<-chan struct{}
	for i := range 2 {
		other := r.mem.Put(fmt.Sprint(i), nil)
		written = append(written, start(func() { r.root.Write(other, 0, nfs.Unstable, of('c', 100)) }))
	}
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; { // time enough for one that doesn't wait, on a machine that is busy too
		runtime.Gosched()
	}
	for _, done := range written {
		select {
		case <-done:
			t.Error("a WRITE is answered")
		default:
		}
	}
	n.mu.Unlock()
	for _, done := range written {
		<-done
	}
	r.expect(h, of('a', 100))
}

// The filer has lost what was written through the other export too, whose clients may not hear of that for long.
func TestE1_ANewVerifierDropsWhatIsCachedInTheOtherExportsOfTheFiler(t *testing.T) {
	r := newRig(t)
	other := newRig(t, func(o *Options) { o.Files = r.mem })
	Beside(r.export, other.export)
	h := r.mem.Put("a", of('a', 100))
	r.root.Write(r.mem.Put("b", nil), 0, nfs.Unstable, of('c', 1))
	other.root.Write(h, 0, nfs.Unstable, of('b', 100))
	other.expect(h, of('b', 100))
	r.mem.Restart()
	r.root.Write(r.mem.Put("c", nil), 0, nfs.Unstable, of('c', 1)) // whose answer tells
	r.expect(h, of('a', 100))
	other.expect(h, of('a', 100))
}

// A truncation of which nobody knows whether it was executed: the size is what the array says next, not what it was before.
func TestE3_AfterATruncationOfUnknownOutcomeTheSizeIsTheArrays(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 50000))
	r.expect(h, of('a', 50000))
	lost := r.mem.Fail(nfstest.After, fmt.Errorf("lost: %w", nfs.ErrOutcomeUnknown), nfstest.Only(nfs.ProcSetAttr))
	var result nfs.WccResult
	_ = r.export.Do(t.Context(), &nfs.Caller{}, nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some[uint64](0)}}, &result)
	lost.Release()
	late := r.mem.Hold(nfstest.Before, at(0))
	written := start(func() { r.root.Write(h, 0, nfs.FileSync, of('b', 100)) })
	<-late.Caught
	r.root.Write(h, 4096, nfs.FileSync, of('b', 100))
	late.Release()
	<-written
	if got := r.root.GetAttr(h); got.Attr.Size != 4196 {
		t.Errorf("size %d", got.Attr.Size)
	}
}

// Who removes a name removes what is behind it then, though it was another file when that was looked for.
func TestAFileThatIsMovedToANameWhileThatIsRemovedIsKnownToBeGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		root := r.mem.Root()
		r.mem.Put("a", of('a', 100))
		moved := r.mem.Put("b", of('b', 100))
		var looked atomic.Bool
		late := r.mem.Hold(nfstest.After, func(p nfs.Procedure, a nfs.Message) bool {
			return p == nfs.ProcLookup && a.(*nfs.DirOp).Name == "a" && !looked.Swap(true)
		})
		removed := start(func() { r.root.Remove(root, "a") })
		<-late.Caught
		renamed := start(func() { r.root.Rename(root, "b", root, "a") })
		synctest.Wait()
		r.root.GetAttr(moved)
		late.Release()
		<-removed
		<-renamed
		if got, want := r.root.GetAttr(moved).Status, (nfstest.User{T: t, FS: r.mem}).GetAttr(moved).Status; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// Exports of one filer are ways to the same files.
func TestWhatIsChangedThroughAnExportIsSeenThroughAnotherOfTheSameFiler(t *testing.T) {
	r := newRig(t)
	other := newRig(t, func(o *Options) { o.Files = r.mem })
	Beside(r.export, other.export)
	root := r.mem.Root()
	h := r.mem.Put("a", of('a', 8192))
	other.expect(h, of('a', 8192))
	other.root.Lookup(root, "a")
	r.root.Write(h, 4096, nfs.FileSync, of('b', 8192))
	other.expect(h, append(of('a', 4096), of('b', 8192)...))
	r.root.Truncate(h, 100)
	other.expect(h, of('a', 100))
	r.truncate("a")
	other.expect(h, nil)
	r.root.Remove(root, "a")
	if got := other.root.Lookup(root, "a"); got.Status != nfs.ErrNoEnt {
		t.Error(got.Status)
	}
	if got := other.root.GetAttr(h); got.Status != nfs.ErrStale {
		t.Error(got.Status)
	}
}
