package export

import (
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

func TestWhatIsCachedIsReadWithoutTheArray(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 10000))
	r.expect(h, of('a', 10000))
	if n := r.asks(nfs.ProcRead, func() { r.expect(h, of('a', 10000)) }); n != 0 {
		t.Errorf("%d READs", n)
	}
	if n := r.asks(nfs.ProcGetAttr, func() { r.expect(h, of('a', 10000)) }); n != 0 {
		t.Errorf("%d GETATTRs", n)
	}
}

func TestWhatIsCachedIsReadWithoutWaiting(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 10000))
	var result nfs.ReadResult
	data := new(pieces)
	a := &nfs.ReadArgs{File: h, Offset: 5000, Count: 10000}
	if r.export.ReadNow(&nfs.Caller{}, a, &result, data) {
		t.Error("what isn't cached")
	}
	r.expect(h, of('a', 10000))
	if !r.export.ReadNow(&nfs.Caller{}, a, &result, data) || result.Count != 5000 || !result.EOF || len(data.take()) != 5000 {
		t.Errorf("%+v, %d bytes", result, len(data.bytes))
	}
}

func TestNamesAndRightsAreAnsweredWithoutTheArray(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	ask := func() {
		if got := r.root.Lookup(r.mem.Root(), "a"); got.Status != nfs.OK || string(got.Object) != string(h) || got.Attr.Value.Size != 100 {
			t.Fatalf("%+v", got)
		}
		if got := r.root.Access(h, nfs.AccessRead|nfs.AccessModify); got.Access != nfs.AccessRead|nfs.AccessModify {
			t.Fatalf("%+v", got)
		}
		if got := r.root.GetAttr(h); got.Attr.Size != 100 {
			t.Fatalf("%+v", got)
		}
	}
	ask()
	for _, p := range []nfs.Procedure{nfs.ProcLookup, nfs.ProcAccess, nfs.ProcGetAttr} {
		if n := r.asks(p, ask); n != 0 {
			t.Errorf("%d times %v", n, p)
		}
	}
}

func TestNamesThatAreNotThereAndLockFilesAreAlwaysAskedFor(t *testing.T) {
	r := newRig(t)
	r.mem.Put(".lck-1", nil)
	r.mem.Put(".lckmore", nil)
	for _, name := range []string{"missing", ".lck-1", ".lckmore", ".", ".."} { // dots are other names for what has one
		r.root.Lookup(r.mem.Root(), name)
		if n := r.asks(nfs.ProcLookup, func() { r.root.Lookup(r.mem.Root(), name) }); n != 1 {
			t.Errorf("%s: %d LOOKUPs", name, n)
		}
	}
	r.mem.Put("missing", nil)
	if got := r.root.Lookup(r.mem.Root(), "missing"); got.Status != nfs.OK {
		t.Error(got.Status)
	}
}

func TestWhatIsCachedIsReadByThoseWhoMay(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 5000))
	owner, other := r.root, r.root.As(1000, 100)
	if got := owner.Chmod(h, 0o600); got.Status != nfs.OK {
		t.Fatal(got.Status)
	}
	r.expect(h, of('a', 5000))
	for range 2 {
		if got := other.Read(h, 0, 100); got.Status != nfs.ErrAcces || len(got.Data) != 0 {
			t.Fatalf("%v, %d bytes", got.Status, len(got.Data))
		}
		r.expect(h, of('a', 5000))
	}
	owner.Chmod(h, 0o644)
	if got := other.Read(h, 0, 100); got.Status != nfs.OK {
		t.Fatal(got.Status)
	}
	owner.Chmod(h, 0o600)
	if got := other.Read(h, 0, 100); got.Status != nfs.ErrAcces {
		t.Fatal(got.Status)
	}
}

// The blocks of all are read on behalf of one user: if that one may no longer, it is another's turn.
func TestOneUserThatMayNoLongerReadKeepsNobodyElseFromIt(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 50000))
	group := r.root.As(1000, 100)
	r.root.SetAttr(h, nfs.SetAttr{Mode: nfs.Some[uint32](0o640), GID: nfs.Some[uint32](100)})
	if got := group.Read(h, 0, 100); got.Status != nfs.OK {
		t.Fatal(got.Status)
	}
	behind := nfstest.User{T: t, FS: r.mem}
	behind.Chmod(h, 0o600)
	r.expect(h, of('a', 50000))
}

func TestNothingIsTakenForTrueWithoutAnAttributeCache(t *testing.T) {
	r := newRig(t, without)
	h := r.mem.Put("a", of('a', 10000))
	r.expect(h, of('a', 10000))
	if n := r.asks(nfs.ProcRead, func() { r.expect(h, of('a', 10000)) }); n != 1 { // whether it may be read
		t.Errorf("%d READs", n)
	}
	r.mem.Put("a", of('b', 20000))
	r.expect(h, of('b', 20000))
}

// The name is remembered, and the memory of the call that brought it has been used for something else since.
func TestALinkedNameLeadsToItsFile(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	r.root.Lookup(r.mem.Root(), "a")
	r.root.Link(h, r.mem.Root(), "b")
	for range 2 {
		if got := r.root.Lookup(r.mem.Root(), "b"); got.Status != nfs.OK || string(got.Object) != string(h) {
			t.Fatalf("%v, %x, want %x", got.Status, got.Object, h)
		}
	}
}
