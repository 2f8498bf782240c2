package staged

import (
	"fmt"
	"testing"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// holdOne holds the answer of the next call of a procedure, and of no other.
func (r *rig) holdOne(p nfs.Procedure) (held <-chan nfs.Procedure, release func()) {
	first := true
	trap := r.mem.Hold(nfstest.After, func(q nfs.Procedure, _ nfs.Message) bool {
		is := p == q && first
		first = first && !is
		return is
	})
	return trap.Caught, trap.Release
}

// An answer that is older than what was done to a file since is not believed, though the file had been forgotten meanwhile.
func TestAnOldAnswerIsNotBelievedOfAFileThatWasForgotten(t *testing.T) {
	r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.MaxFiles = 1 })
	h, other := r.mem.Put("a", []byte("old")), r.mem.Put("b", nil)
	held, release := r.holdOne(nfs.ProcGetAttr)
	answered := make(chan nfs.Attr)
	go func() { answered <- r.root.GetAttr(h).Attr }()
	<-held
	r.write(h, 0, []byte("new content"))
	r.drain()
	r.write(other, 0, []byte("b")) // takes the slot
	r.drain()
	r.write(h, 0, []byte("N"))
	release()
	<-answered
	if w := r.write(h, 1, []byte("E")); w.Wcc.After.Value.Size != 11 {
		t.Errorf("%d bytes", w.Wcc.After.Value.Size)
	}
	r.expect(h, []byte("NEw content"))
}

// What the filer said of a file before it had all of it is not shown when it has, and the file has been forgotten.
func TestAnAnswerFromBeforeAFileWasCarriedIsNotShownThoughItWasForgotten(t *testing.T) {
	const size = 11
	for p, sizeOf := range map[nfs.Procedure]func(r *rig, h nfs.Handle) nfs.PostOpAttr{
		nfs.ProcGetAttr: func(r *rig, h nfs.Handle) nfs.PostOpAttr { return nfs.Some(r.root.GetAttr(h).Attr) },
		nfs.ProcLookup:  func(r *rig, _ nfs.Handle) nfs.PostOpAttr { return r.root.Lookup(r.mem.Root(), "a").Attr },
		nfs.ProcAccess:  func(r *rig, h nfs.Handle) nfs.PostOpAttr { return r.root.Access(h, nfs.AccessRead).Attr },
		nfs.ProcReadDirPlus: func(r *rig, h nfs.Handle) (attr nfs.PostOpAttr) {
			for _, e := range r.root.ReadDirPlus(r.mem.Root(), 0, nfs.Verifier{}, 4096, 8192).Entries {
				if e.Name == "a" {
					attr = e.Attr
				}
			}
			return attr
		},
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, met again %t", p, again), func(t *testing.T) {
				r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.MaxFiles = 1 })
				h, other := r.mem.Put("a", []byte("old")), r.mem.Put("b", nil)
				r.write(h, 0, make([]byte, size))
				held, release := r.holdOne(p)
				answered := make(chan nfs.PostOpAttr)
				go func() { answered <- sizeOf(r, h) }()
				<-held
				r.drain()
				r.write(other, 0, []byte("b")) // takes the slot
				if again {
					r.drain()
					r.write(h, 0, []byte("N"))
				}
				release()
				if attr := <-answered; attr.Follows && attr.Value.Size != size || p == nfs.ProcGetAttr && !attr.Follows {
					t.Errorf("%+v", attr)
				}
				if attr := sizeOf(r, h); !attr.Follows || attr.Value.Size != size {
					t.Errorf("and then %+v", attr)
				}
			})
		}
	}
}

// An answer that is older than a change of which the filer said nothing is not believed.
func TestAnOldAnswerIsNotBelievedAfterAChangeThatToldNothing(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.over(func(c nfs.Caller, p nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
		err := next(c)
		if x, ok := res.(*nfs.WccResult); ok && p == nfs.ProcSetAttr {
			x.Wcc.After = nfs.PostOpAttr{}
		}
		return err
	})
	r.write(h, 0, []byte("0123456789"))
	r.drain()
	held, release := r.holdOne(nfs.ProcGetAttr)
	answered := make(chan nfs.Attr)
	go func() { answered <- r.root.GetAttr(h).Attr }()
	<-held
	r.root.SetAttr(h, nfs.SetAttr{Size: nfs.Some(uint64(3)), Atime: nfs.SetTime{How: nfs.SetToServerTime}}) // which the filer answers
	release()
	<-answered
	if w := r.write(h, 0, []byte("x")); w.Wcc.After.Value.Size != 3 {
		t.Errorf("%d bytes", w.Wcc.After.Value.Size)
	}
	r.expect(h, []byte("x12"))
}

// An answer that is older than the removal of a file doesn't say that it is there.
func TestAnOldAnswerDoesNotBringARemovedFileBack(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("content"))
	r.drain()
	held, release := r.holdOne(nfs.ProcGetAttr)
	answered := make(chan nfs.Attr)
	go func() { answered <- r.root.GetAttr(h).Attr }()
	<-held
	r.root.Remove(r.mem.Root(), "a")
	release()
	<-answered
	if w := r.root.Write(h, 0, nfs.FileSync, []byte("more")); w.Status != nfs.ErrStale {
		t.Errorf("WRITE: %v", w.Status)
	}
}

// A WRITE that the filer has before it is answered leaves no end behind that a truncation would not take back.
func TestAnEndIsOfRecordsOnly(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("0123456789"))
	f := r.find(h)
	defer r.letGo(f)
	before := f.attributes()
	r.drain()
	f.written(before, 10) // it comes late
	nfstest.User{T: r.T(), FS: r.mem}.Truncate(h, 0)
	r.root.GetAttr(h)
	r.write(h, 0, []byte("x"))
	r.expect(h, []byte("x"))
}

// A filer that is asked what a file is like after it was committed, and then doesn't know it, tells nothing of it.
func TestAFileThatIsGoneWhenItIsCommittedIsNotTakenForEmpty(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	gone := false
	r.over(func(c nfs.Caller, p nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
		err := next(c)
		switch x := res.(type) {
		case *nfs.CommitResult:
			x.Wcc.After = nfs.PostOpAttr{}
			gone = true
		case *nfs.GetAttrResult:
			if gone {
				gone = false
				*x = nfs.GetAttrResult{Status: nfs.ErrStale}
			}
		}
		return err
	})
	r.write(h, 0, []byte("new content"))
	r.drain()
	if w := r.write(h, 0, []byte("N")); w.Wcc.After.Value.Type != nfs.Regular || w.Wcc.After.Value.Size != 11 {
		t.Errorf("%+v", w.Wcc.After.Value)
	}
}

// A filer may tell no handles in a listing: then nobody knows of which files the attributes are, and some look otherwise by now.
func TestAListingWithoutHandlesShowsNoFileAsItIsNot(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	r.over(func(c nfs.Caller, _ nfs.Procedure, _, res nfs.Message, next func(c nfs.Caller) error) error {
		err := next(c)
		if plus, ok := res.(*nfs.ReadDirPlusResult); ok {
			for i := range plus.Entries {
				plus.Entries[i].Handle.Follows = false
			}
		}
		return err
	})
	expect := func(follows bool) {
		t.Helper()
		for _, e := range r.root.ReadDirPlus(r.mem.Root(), 0, nfs.Verifier{}, 4096, 8192).Entries {
			if e.Name == "a" && e.Attr.Follows != follows {
				t.Errorf("attributes follow: %t", e.Attr.Follows)
			}
		}
	}
	expect(true)
	r.write(h, 0, []byte("longer"))
	expect(false)
	r.drain()
	expect(true)
}
