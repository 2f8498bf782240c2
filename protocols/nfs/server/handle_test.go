package server

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/server/servertest"
)

func TestAHandleIsAHeaderAndTheFileSystemsOwn(t *testing.T) {
	r := newRig(t, nfstest.Options{HandleSize: maxShort}, nil)
	h, own := r.root(), r.mem.Root()
	if len(h) != 64 || h[0] != handleShort || !bytes.Equal(h[handleBody:], own) {
		t.Errorf("% x\nof % x", []byte(h), []byte(own))
	}
	long := newRig(t, nfstest.Options{HandleSize: maxShort + 1}, nil).root()
	if len(long) != handleBody+32 || long[0] != handleLong {
		t.Errorf("% x", []byte(long))
	}
}

// Whatever is changed in a handle, it isn't one any more.
func TestForgedHandlesAreRefused(t *testing.T) {
	for _, size := range []int{16, 64} {
		r := newRig(t, nfstest.Options{HandleSize: size}, nil)
		u, h := r.user(), r.root()
		expect(t, "the handle itself", u.GetAttr(h).Status, nfs.OK)
		for bit := range 8 * len(h) {
			forged := bytes.Clone(h)
			forged[bit/8] ^= 1 << (bit % 8)
			expect(t, "a forged handle", u.GetAttr(forged).Status, nfs.ErrBadHandle)
		}
		for n := range h {
			expect(t, "a handle that is cut", u.GetAttr(h[:n]).Status, nfs.ErrBadHandle)
		}
		if len(h) < nfs.MaxHandle {
			expect(t, "a handle that is longer", u.GetAttr(append(bytes.Clone(h), 0)).Status, nfs.ErrBadHandle)
		}
		expect(t, "a handle as the file system has it", u.GetAttr(r.mem.Root()).Status, nfs.ErrBadHandle)
		if n := r.mem.Calls(nfs.ProcGetAttr); n != 1 {
			t.Errorf("%d calls have come to the file system", n)
		}
	}
}

func TestAVersionThatIsNotKnownIsRefused(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	u, seal := r.user(), &r.server.seal
	for version := range byte(4) {
		want := nfs.ErrBadHandle
		if version == handleShort {
			want = nfs.OK
		}
		expect(t, "a handle of its version", u.GetAttr(seal.close(nil, version, 7, r.mem.Root())).Status, want)
	}
	expect(t, "an empty handle", u.GetAttr(seal.close(nil, handleShort, 7, nil)).Status, nfs.ErrBadHandle)
	expect(t, "a short hash", u.GetAttr(seal.close(nil, handleLong, 7, make([]byte, 31))).Status, nfs.ErrBadHandle)
	if n := r.mem.Calls(nfs.ProcGetAttr); n != 1 {
		t.Errorf("%d calls have come to the file system", n)
	}
}

func TestHandlesOutliveAServerAndHoldInTheWholeCluster(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	h := r.root()
	serve := func(o Options) nfstest.User {
		o.Exports = []*Export{r.export}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		other := &rig{t: t, address: listen(t, s)}
		return other.user()
	}
	key := [32]byte{1, 2, 3}
	expect(t, "a gateway of the cluster", serve(Options{Key: key}).GetAttr(h).Status, nfs.OK)
	expect(t, "a gateway of another cluster", serve(Options{Key: [32]byte{1, 2, 4}}).GetAttr(h).Status, nfs.ErrBadHandle)
	expect(t, "a gateway with another key id", serve(Options{Key: key, KeyID: 1}).GetAttr(h).Status, nfs.ErrBadHandle)
}

func TestHandlesOfAnExportThatIsGoneAreStale(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	u, h := r.user(), r.root()
	if err := r.server.SetExports(nil); err != nil {
		t.Fatal(err)
	}
	expect(t, "without the export", u.GetAttr(h).Status, nfs.ErrStale)
	if err := r.server.SetExports([]*Export{r.export}); err != nil {
		t.Fatal(err)
	}
	expect(t, "with it again", u.GetAttr(h).Status, nfs.OK)
}

// The file systems' own handles are the same here, and mean different files.
func TestAHandleLeadsToItsExport(t *testing.T) {
	other := nfstest.New(nfstest.Options{FSID: 2})
	second := exportOf(8, "/second", other, &servertest.Files{FileSystem: other})
	r := newRig(t, nfstest.Options{}, func(r *rig, o *Options) { o.Exports = append(o.Exports, second) })
	u, a := r.user(), r.root()
	r.export = second
	b := r.root()
	if one, two := u.GetAttr(a).Attr.FSID, u.GetAttr(b).Attr.FSID; one != 1 || two != 2 {
		t.Errorf("they lead to file systems %d and %d", one, two)
	}
	r.mem.Put("f", nil)
	f := u.Lookup(a, "f").Object
	expect(t, "rename to another export", u.Rename(a, "f", b, "f").Status, nfs.ErrXDev)
	expect(t, "link in another export", u.Link(f, b, "f").Status, nfs.ErrXDev)
	expect(t, "rename with a forged handle", u.Rename(a, "f", nfs.Handle("forged"), "f").Status, nfs.ErrBadHandle)
	expect(t, "link with a forged handle", u.Link(f, nfs.Handle("forged"), "g").Status, nfs.ErrBadHandle)
	if other.Find("f") != nil || r.mem.Find("f") == nil {
		t.Error("something has moved")
	}
}

// broken is a LongHandles that fails, or has something else.
type broken struct {
	MemLongHandles
	mu          sync.Mutex
	store, load error
	instead     nfs.Handle
}

// set changes b while nobody looks.
func (b *broken) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.MemLongHandles.mu.Lock()
	defer b.MemLongHandles.mu.Unlock()
	change()
}

func (b *broken) Store(ctx context.Context, hash [32]byte, h nfs.Handle) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.store != nil {
		return b.store
	}
	return b.MemLongHandles.Store(ctx, hash, h)
}

func (b *broken) Load(ctx context.Context, hash [32]byte) (nfs.Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.load != nil || b.instead != nil {
		return b.instead, b.load
	}
	return b.MemLongHandles.Load(ctx, hash)
}

func TestALongHandleIsStoredBeforeItIsHandedOut(t *testing.T) {
	store := new(broken)
	r := newRig(t, nfstest.Options{HandleSize: 64}, func(_ *rig, o *Options) { o.LongHandles = store })
	u, root := r.user(), r.root()
	if err := u.Chmod(root, 0o777); err.Status != nfs.OK {
		t.Fatal(err.Status)
	}
	store.set(func() { store.store = nfs.ErrAway })
	c := u.Create(root, "f", 0o644)
	if expect(t, "create", c.Status, nfs.OK); c.Object.Follows {
		t.Error("CREATE hands it out")
	}
	expect(t, "lookup", u.Lookup(root, "f").Status, nfs.ErrJukebox)
	list := u.ReadDirPlus(root, 0, nfs.Verifier{}, 1000, 10_000)
	if len(list.Entries) != 3 || list.Entries[2].Handle.Follows || !list.Entries[2].Attr.Follows {
		t.Errorf("%+v", list)
	}
	store.set(func() { store.store = errors.New("broken") })
	expect(t, "lookup", u.Lookup(root, "f").Status, nfs.ErrIO)
	store.set(func() { store.store = nil })
	l := u.Lookup(root, "f")
	expect(t, "lookup", l.Status, nfs.OK)
	store.set(func() {
		if len(store.byHash) != 2 {
			t.Errorf("%d handles are stored", len(store.byHash))
		}
	})
}

func TestALongHandleIsLoadedWhenItIsNotKnown(t *testing.T) {
	store := new(broken)
	r := newRig(t, nfstest.Options{HandleSize: 64}, func(_ *rig, o *Options) { o.LongHandles = store })
	u, root := r.user(), r.root()
	for _, c := range []struct {
		what string
		set  func()
		want nfs.Status
	}{
		{"it is there", func() {}, nfs.OK},
		{"the store is away", func() { store.load = nfs.ErrAway }, nfs.ErrJukebox},
		{"the store fails", func() { store.load = errors.New("broken") }, nfs.ErrIO},
		{"the store has another one", func() { store.load, store.instead = nil, bytes.Repeat([]byte("x"), 64) }, nfs.ErrIO},
		{"it was never stored", func() { store.instead = nil; clear(store.byHash) }, nfs.ErrStale},
	} {
		r.server.long.mu.Lock()
		clear(r.server.long.mu.known)
		r.server.long.mu.Unlock()
		store.set(c.set)
		expect(t, c.what, u.GetAttr(root).Status, c.want)
	}
}

func TestWithoutAStoreLongHandlesAreNotServed(t *testing.T) {
	r := newRig(t, nfstest.Options{HandleSize: 64}, func(_ *rig, o *Options) { o.LongHandles = nil })
	if _, _, err := r.server.Mount(t.Context(), local, "/export"); !errors.Is(err, mount.ErrIO) {
		t.Error(err)
	}
	h := r.server.seal.close(nil, handleLong, 7, make([]byte, 32))
	expect(t, "a hash", r.user().GetAttr(h).Status, nfs.ErrStale)
}

func TestWhatIsKnownOfLongHandlesIsBounded(t *testing.T) {
	l := newLongHandles(nil)
	for i := range maxKnown + 100 {
		l.remember(&[32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, nfs.Handle("h"))
	}
	if len(l.mu.known) != maxKnown {
		t.Errorf("%d are known", len(l.mu.known))
	}
}

// renewing sets the exports again whenever a long handle is looked for.
type renewing struct {
	MemLongHandles
	again func()
}

func (l *renewing) Load(ctx context.Context, hash [32]byte) (nfs.Handle, error) {
	l.again()
	return l.MemLongHandles.Load(ctx, hash)
}

func TestAnExportThatIsSetAgainInTheMiddleOfARenameIsTheSame(t *testing.T) {
	var kept renewing
	r := newRig(t, nfstest.Options{HandleSize: 64}, func(_ *rig, o *Options) { o.LongHandles = &kept })
	r.mem.Put("f", nil)
	dir := r.root()
	kept.again = func() {
		if err := r.server.SetExports([]*Export{r.export}); err != nil {
			t.Error(err)
		}
	}
	clear(r.server.long.mu.known)
	expect(t, "RENAME", r.user().Rename(dir, "f", dir, "g").Status, nfs.OK)
}
