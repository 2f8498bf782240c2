package export

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// overlapping has two WRITEs of a file under way together, and answers the later one first.
func (r *rig) overlapping(h nfs.Handle, off uint64, p []byte) {
	late := r.mem.Hold(nfstest.After, at(off))
	written := start(func() { r.root.Write(h, off, nfs.FileSync, p) })
	<-late.Caught
	r.root.Write(h, off+uint64(len(p)), nfs.FileSync, p)
	late.Release()
	<-written
}

// What others did before WRITEs of ours that overlap shows in what the array had before the first of them, whichever is answered first.
func TestAChangeBehindOurBackIsNoticedThoughOurOwnOverlap(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 40960))
	r.expect(h, of('a', 40960))
	nfstest.User{T: t, FS: r.mem}.Write(h, 0, nfs.FileSync, of('b', 4096))
	r.overlapping(h, 8192, of('c', 4096))
	r.expect(h, r.mem.Get("a"))
}

// A change of the file's names that takes long makes no company of WRITEs that come one after the other.
func TestAChangeBehindOurBackIsNoticedWhileANameIsChanged(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 40960))
	r.expect(h, of('a', 40960))
	late := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcLink))
	linked := start(func() { r.root.Link(h, r.mem.Root(), "b") })
	<-late.Caught
	r.root.Write(h, 8192, nfs.FileSync, of('c', 4096))
	nfstest.User{T: t, FS: r.mem}.Write(h, 0, nfs.FileSync, of('b', 4096))
	r.root.Write(h, 16384, nfs.FileSync, of('d', 4096))
	late.Release()
	<-linked
	r.expect(h, r.mem.Get("a"))
}

func TestOurOwnWritesThatOverlapDropNothing(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 40960))
	r.expect(h, of('a', 40960))
	r.overlapping(h, 8192, of('c', 4096))
	if n := r.bytesAsked(func() { r.expect(h, r.mem.Get("a")) }); n != 0 {
		t.Errorf("%d bytes are read again", n)
	}
}

// Of two answers that differ nobody knows which is the later: the array is asked once more.
func TestAnAnswerThatComesLateDoesNotBringBackWhatWas(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	late := r.mem.Hold(nfstest.After, nfstest.Only(nfs.ProcGetAttr))
	first := start(func() { r.root.GetAttr(h) })
	<-late.Caught
	nfstest.User{T: t, FS: r.mem}.Access(h, nfs.AccessRead)
	behind := nfstest.User{T: t, FS: r.mem}
	behind.Write(h, 100, nfs.FileSync, of('b', 100))
	r.root.Access(h, nfs.AccessRead) // which brings attributes too
	late.Release()
	<-first
	if got := r.root.GetAttr(h); got.Attr.Size != 200 {
		t.Errorf("size %d", got.Attr.Size)
	}
}

// Who asks while a WRITE is under way is told what the array says, not what was known an hour ago.
func TestAQuestionThatAWriteOverlapsIsAnsweredAsTheArrayAnswersIt(t *testing.T) {
	r := newRig(t, without)
	h := r.mem.Put("a", of('a', 100))
	r.root.GetAttr(h)
	nfstest.User{T: t, FS: r.mem}.Write(h, 100, nfs.FileSync, of('b', 100))
	late := r.mem.Hold(nfstest.Before, at(0))
	written := start(func() { r.root.Write(h, 0, nfs.FileSync, of('c', 10)) })
	<-late.Caught
	if got := r.root.GetAttr(h); got.Attr.Size != 200 {
		t.Errorf("size %d", got.Attr.Size)
	}
	late.Release()
	<-written
}

// What an answer brings is as old as its question.
func TestAttributesAreFreshNoLongerThanTheTimeoutSinceTheyWereAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.AttributeCache = 3 * time.Second })
		h := r.mem.Put("a", of('a', 100))
		late := r.mem.Hold(nfstest.After, nfstest.Only(nfs.ProcGetAttr))
		asked := start(func() { r.root.GetAttr(h) })
		<-late.Caught
		nfstest.User{T: t, FS: r.mem}.Write(h, 100, nfs.FileSync, of('b', 100))
		time.Sleep(time.Minute)
		late.Release()
		<-asked
		if got := r.root.GetAttr(h); got.Attr.Size != 200 {
			t.Errorf("size %d", got.Attr.Size)
		}
	})
}

// Who asks for the same at the same time shares an answer, and one who gives up takes it from nobody.
func TestQuestionsOfTheSameTimeShareAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h := r.mem.Put("a", of('a', 100))
		late := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcGetAttr))
		ctx, cancel := context.WithCancel(t.Context())
		first := start(func() { _, _ = r.outcomeIn(ctx, nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}) })
		<-late.Caught
		var done []<-chan struct{}
		for range 10 {
			done = append(done, start(func() { r.root.GetAttr(h) }))
		}
		synctest.Wait()
		cancel()
		<-first
		synctest.Wait()
		late.Release()
		for _, d := range done {
			<-d
		}
		if n := r.mem.Calls(nfs.ProcGetAttr); n != 1 {
			t.Errorf("%d GETATTRs", n)
		}
	})
}

// Without an attribute cache an answer is as of after the question, also if the same is being asked already.
func TestQuestionsOfTheSameTimeAreAskedApartWithoutAnAttributeCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, without)
		h := r.mem.Put("a", of('a', 100))
		late := r.mem.Hold(nfstest.After, nfstest.Only(nfs.ProcGetAttr))
		first := start(func() { r.root.GetAttr(h) })
		<-late.Caught
		nfstest.User{T: t, FS: r.mem}.Write(h, 100, nfs.FileSync, of('b', 100))
		second := start(func() {
			if got := r.root.GetAttr(h); got.Attr.Size != 200 {
				t.Errorf("size %d", got.Attr.Size)
			}
		})
		synctest.Wait()
		late.Release()
		<-first
		<-second
	})
}

// picky is an array that shows a user nothing.
type picky struct{ nfs.FileSystem }

func (p picky) Do(ctx context.Context, c *nfs.Caller, proc nfs.Procedure, a, r nfs.Message) error {
	err := p.FileSystem.Do(ctx, c, proc, a, r)
	if m, ok := r.(*nfs.GetAttrResult); ok && c.UID == 1000 {
		m.Status = nfs.ErrAcces
	}
	return err
}

func TestWhatIsRefusedToOneIsAskedForByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Files = picky{o.Files} })
		h := r.mem.Put("a", of('a', 100))
		late := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcGetAttr))
		refused := start(func() {
			if got := r.root.As(1000, 100).GetAttr(h); got.Status != nfs.ErrAcces {
				t.Error(got.Status)
			}
		})
		<-late.Caught
		let := start(func() {
			if got := r.root.GetAttr(h); got.Status != nfs.OK || got.Attr.Size != 100 {
				t.Error(got.Status, got.Attr.Size)
			}
		})
		synctest.Wait()
		late.Release()
		<-refused
		<-let
	})
}
