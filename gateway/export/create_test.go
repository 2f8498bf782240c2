package export

import (
	"fmt"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// truncate is a CREATE of a file that is there.
func (r *rig) truncate(name string) nfs.CreateResult {
	return r.root.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: r.mem.Root(), Name: name}, Attr: nfs.SetAttr{Size: nfs.Some[uint64](0)}})
}

// A WRITE that was executed before a CREATE truncated the file, and is answered after it, says nothing of the file's size.
func TestH1_AFileThatACreateTruncatedIsAsLongAsItIsThen(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 8192))
	r.expect(h, of('a', 8192))
	late := r.mem.Hold(nfstest.After, at(0))
	written := start(func() { r.root.Write(h, 0, nfs.FileSync, of('b', 100)) })
	<-late.Caught
	r.truncate("a")
	late.Release()
	<-written
	if got := r.root.GetAttr(h); got.Attr.Size != 0 {
		t.Errorf("size %d", got.Attr.Size)
	}
	r.expect(h, nil)
}

// The same, where the array doesn't say which file it has truncated.
func TestH1_AFileThatACreateTruncatedIsKnownToBeEvenIfNoHandleIsSaid(t *testing.T) {
	for name, lie := range map[string]func(nfs.Message) error{
		"no handle": func(r nfs.Message) error {
			*r.(*nfs.CreateResult) = nfs.CreateResult{}
			return nil
		},
		"no answer": func(nfs.Message) error { return fmt.Errorf("lost: %w", nfs.ErrOutcomeUnknown) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lying(nfs.ProcCreate, lie))
			h := r.mem.Put("a", of('a', 8192))
			r.expect(h, of('a', 8192))
			var result nfs.CreateResult
			_ = r.export.Do(t.Context(), &nfs.Caller{}, nfs.ProcCreate, &nfs.CreateArgs{Where: nfs.DirOp{Dir: r.mem.Root(), Name: "a"},
				Attr: nfs.SetAttr{Size: nfs.Some[uint64](0)}}, &result)
			r.expect(h, nil)
		})
	}
}

// What is learned of a file by its name may be older than what a CREATE did to it.
func TestH1_ALookupThatACreateOvertookDoesNotSayWhatTheFileIsLike(t *testing.T) {
	r := newRig(t, lying(nfs.ProcCreate, func(r nfs.Message) error {
		r.(*nfs.CreateResult).Attr = nfs.PostOpAttr{}
		return nil
	}))
	h := r.mem.Put("a", of('a', 8192))
	late := r.mem.Hold(nfstest.After, nfstest.Only(nfs.ProcLookup))
	found := start(func() { r.root.Lookup(r.mem.Root(), "a") })
	<-late.Caught
	r.truncate("a")
	late.Release()
	<-found
	r.expect(h, nil)
}
