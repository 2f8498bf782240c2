package export

import (
	"bytes"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Others change a file of which everything is cached; whoever opens it next sees it.
func TestAChangeBehindOurBackIsSeenByWhoOpensTheFileAfterIt(t *testing.T) {
	r := newRig(t, without)
	h := r.mem.Put("a", of('a', 10000))
	r.expect(h, of('a', 10000))
	behind := nfstest.User{T: t, FS: r.mem}
	behind.Write(h, 4096, nfs.FileSync, of('b', 4096))
	want := of('a', 10000)
	copy(want[4096:], of('b', 4096))
	r.expect(h, want)
	behind.Truncate(h, 100)
	r.expect(h, of('a', 100))
}

func TestAChangeBehindOurBackIsNoticedByTheAttributesBeforeOurOwn(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 10000))
	r.expect(h, of('a', 10000))
	nfstest.User{T: t, FS: r.mem}.Write(h, 4096, nfs.FileSync, of('b', 4096))
	r.root.Write(h, 0, nfs.Unstable, of('c', 10))
	want := of('a', 10000)
	copy(want[4096:], of('b', 4096))
	copy(want, of('c', 10))
	r.expect(h, want)
}

func TestNamesChangedBehindOurBackAreForgottenWhenTheDirectoryShowsIt(t *testing.T) {
	r := newRig(t)
	r.mem.Put("a", of('a', 100))
	r.root.Lookup(r.mem.Root(), "a")
	behind := nfstest.User{T: t, FS: r.mem}
	behind.Remove(r.mem.Root(), "a")
	r.root.Create(r.mem.Root(), "other", 0o644) // its answer tells
	r.root.Lookup(r.mem.Root(), "other")        // so that names may be answered again
	if got := r.root.Lookup(r.mem.Root(), "a"); got.Status != nfs.ErrNoEnt {
		t.Error(got.Status)
	}
}

// A filer need not say what the directory is like: by then it has said itself that the name leads elsewhere, or nowhere, to somebody.
func TestANameThatHasLedElsewhereForOneDoesNotLeadBackForAnother(t *testing.T) {
	for name, change := range map[string]func(u nfstest.User, root nfs.Handle){
		"elsewhere": func(u nfstest.User, root nfs.Handle) { u.Rename(root, "a", root, "c"); u.Rename(root, "b", root, "a") },
		"nowhere":   func(u nfstest.User, root nfs.Handle) { u.Rename(root, "a", root, "c") },
	} {
		t.Run(name, func(t *testing.T) {
			silent := false
			r := newRig(t, lying(nfs.ProcLookup, func(r nfs.Message) error {
				if silent {
					r.(*nfs.LookupResult).DirAttr = nfs.PostOpAttr{}
				}
				return nil
			}))
			root := r.mem.Root()
			r.mem.Put("a", of('a', 100))
			r.mem.Put("b", of('b', 100))
			r.root.Lookup(root, "a")
			change(nfstest.User{T: t, FS: r.mem}, root)
			silent = true
			seen := r.root.As(1, 1).Lookup(root, "a")
			if got := r.root.Lookup(root, "a"); got.Status != seen.Status || !bytes.Equal(got.Object, seen.Object) {
				t.Errorf("%v, %x, and to another %v, %x", got.Status, got.Object, seen.Status, seen.Object)
			}
		})
	}
}

func TestOurOwnChangesDropNothing(t *testing.T) {
	r := newRig(t, without)
	h := r.mem.Put("a", of('a', 102400))
	r.expect(h, of('a', 102400))
	root := r.mem.Root()
	for name, change := range map[string]func(){
		"write":  func() { r.root.Write(h, 4096, nfs.FileSync, of('a', 8192)) },
		"chmod":  func() { r.root.Chmod(h, 0o600) },
		"link":   func() { r.root.Link(h, root, "b") },
		"grow":   func() { r.root.Truncate(h, 102400) },
		"commit": func() { r.root.Commit(h) },
	} {
		change()
		if n := r.asks(nfs.ProcRead, func() { r.expect(h, of('a', 102400)) }); n != 1 { // whether it may be read
			t.Errorf("%d READs after %s", n, name)
		}
	}
}

func TestRenamingAFileKeepsWhatIsCachedOfIt(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 102400))
	r.root.Lookup(r.mem.Root(), "a")
	r.expect(h, of('a', 102400))
	r.root.Rename(r.mem.Root(), "a", r.mem.Root(), "b")
	if n := r.asks(nfs.ProcRead, func() { r.expect(h, of('a', 102400)) }); n != 0 {
		t.Errorf("%d READs", n)
	}
}
