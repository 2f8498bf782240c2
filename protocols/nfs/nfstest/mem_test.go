package nfstest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"forebay/protocols/nfs"
)

func TestMemKeepsThePromises(t *testing.T) {
	for _, o := range []Options{{}, {HandleSize: 64, ReadMax: 1000, WriteMax: 3000}} {
		TestFileSystem(t, func(*testing.T) Place {
			m := New(o)
			return Place{m, m.Root()}
		})
	}
}

func rig(t T, o Options) (*Mem, User) {
	m := New(o)
	return m, User{T: t, FS: m}
}

func TestARestartLosesWhatWasNotCommitted(t *testing.T) {
	m, u := rig(t, Options{})
	f := m.Put("a/f", []byte("stable"))
	before := attrOf(u, f)
	w := u.Write(f, 2, nfs.Unstable, []byte("lost and longer"))
	if string(m.Get("a/f")) != "stlost and longer" {
		t.Fatalf("%q", m.Get("a/f"))
	}
	m.Restart()
	if string(m.Get("a/f")) != "stable" || attrOf(u, f) != before {
		t.Errorf("%q, %+v, was %+v", m.Get("a/f"), attrOf(u, f), before)
	}
	if c := u.Commit(f); c.Verifier == w.Verifier {
		t.Error("the verifier is the same")
	}
	u.Write(f, 2, nfs.Unstable, []byte("kept"))
	u.Commit(f)
	u.Write(f, 0, nfs.Unstable, []byte("XX"))
	u.Write(f, 1, nfs.FileSync, []byte("Y"))
	m.Restart()
	if string(m.Get("a/f")) != "sYkept" {
		t.Errorf("%q", m.Get("a/f"))
	}
}

func TestACommitIsOfARange(t *testing.T) {
	m, u := rig(t, Options{})
	f := m.Put("f", nil)
	u.Write(f, 0, nfs.Unstable, bytes.Repeat([]byte("x"), 3*pageSize))
	u.Do(nfs.ProcCommit, &nfs.CommitArgs{File: f, Offset: pageSize + 1, Count: pageSize - 1}, new(nfs.CommitResult))
	m.Restart()
	if want := append(make([]byte, pageSize), bytes.Repeat([]byte("x"), pageSize)...); !bytes.Equal(m.Get("f"), want) {
		t.Errorf("%d bytes, %q...", len(m.Get("f")), m.Get("f")[:10])
	}
}

// After a restart a file is what its stable writes, commits and truncations alone have made of it, or more.
func TestARestartKeepsWhatIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, u := rig(t, Options{})
		f := m.Put("f", nil)
		var now, disk []byte // what it is, and what a restart leaves
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			off, n := rapid.IntRange(0, 20_000).Draw(t, "off"), rapid.IntRange(1, 9000).Draw(t, "n")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				now = overwrite(now, off, n, 'u')
				u.Write(f, uint64(off), nfs.Unstable, bytes.Repeat([]byte("u"), n))
			case 1:
				now, disk = overwrite(now, off, n, 's'), overwrite(disk, off, n, 's')
				u.Write(f, uint64(off), nfs.DataSync, bytes.Repeat([]byte("s"), n))
			case 2:
				now, disk = resize(now, off), resize(disk, off)
				u.Truncate(f, uint64(off))
			case 3:
				disk = bytes.Clone(now)
				u.Commit(f)
			case 4:
				now = bytes.Clone(disk)
				m.Restart()
			}
			if got := m.Get("f"); !bytes.Equal(got, now) {
				t.Fatalf("%d bytes, want %d", len(got), len(now))
			}
			if used := attrOf(u, f).Used; used != m.mu.pages*pageSize {
				t.Fatalf("%d bytes are used, and %d pages", used, m.mu.pages)
			}
		}
	})
}

func overwrite(p []byte, off, n int, b byte) []byte {
	p = resize(p, max(len(p), off+n))
	copy(p[off:], bytes.Repeat([]byte{b}, n))
	return p
}

func resize(p []byte, n int) []byte {
	q := make([]byte, n)
	copy(q, p)
	return q
}

func TestHandlesAreChecked(t *testing.T) {
	m, u := rig(t, Options{})
	h := m.Put("f", nil)
	wrong := bytes.Clone(h)
	wrong[0]++
	for _, c := range []struct {
		h    nfs.Handle
		want nfs.Status
	}{{h, nfs.OK}, {wrong, nfs.ErrBadHandle}, {h[:15], nfs.ErrBadHandle}, {append(bytes.Clone(h), 0), nfs.ErrBadHandle}, {nil, nfs.ErrBadHandle}} {
		expect(u, "getattr", u.GetAttr(c.h).Status, c.want)
	}
	u.Remove(m.Root(), "f")
	again := m.Put("f", nil)
	if bytes.Equal(h, again) {
		t.Error("a handle comes again")
	}
}

func TestLimitsOfSpaceAndSize(t *testing.T) {
	m, u := rig(t, Options{Capacity: 2 * pageSize})
	f := m.Put("f", nil)
	expect(u, "write", u.Write(f, 0, nfs.FileSync, make([]byte, 2*pageSize)).Status, nfs.OK)
	expect(u, "write over it", u.Write(f, 0, nfs.FileSync, make([]byte, 2*pageSize)).Status, nfs.OK)
	expect(u, "write more", u.Write(f, 2*pageSize, nfs.FileSync, []byte("x")).Status, nfs.ErrNoSpc)
	expect(u, "cut", u.Truncate(f, pageSize).Status, nfs.OK)
	expect(u, "write more", u.Write(f, 1<<40, nfs.FileSync, []byte("x")).Status, nfs.OK)
	expect(u, "write too far", u.Write(f, 1<<63, nfs.FileSync, []byte("x")).Status, nfs.ErrFBig)
	expect(u, "grow too far", u.Truncate(f, 1<<63).Status, nfs.ErrFBig)
	if r := u.FSStat(f); r.FreeBytes != 0 {
		t.Errorf("%+v", r)
	}
	u.Remove(m.Root(), "f")
	if r := u.FSStat(m.Root()); r.FreeBytes != 2*pageSize {
		t.Errorf("%+v", r)
	}
}

func TestCookiesOutliveChanges(t *testing.T) {
	m, u := rig(t, Options{})
	for _, name := range []string{"a", "b", "c", "d"} {
		m.Put(name, nil)
	}
	r := u.ReadDir(m.Root(), 0, nfs.Verifier{}, 1<<20)
	at := r.Entries[3] // b
	u.Remove(m.Root(), "a")
	u.Remove(m.Root(), "b")
	m.Put("a", nil)
	rest := u.ReadDir(m.Root(), at.Cookie, r.Verifier, 1<<20)
	var got string
	for _, e := range rest.Entries {
		got += e.Name
	}
	if got != "cda" || !rest.EOF {
		t.Errorf("behind %v: %q", at, got)
	}
	expect(u, "another verifier", u.ReadDir(m.Root(), at.Cookie, nfs.Verifier{}, 1<<20).Status, nfs.ErrBadCookie)
}

func TestStickyDirectoriesKeepOthersFiles(t *testing.T) {
	m, u := rig(t, Options{})
	expect(u, "chmod", u.Chmod(m.Root(), 0o1777).Status, nfs.OK)
	one, two := u.As(1, 1), u.As(2, 2)
	makeFile(one, m.Root(), "f")
	expect(u, "remove", two.Remove(m.Root(), "f").Status, nfs.ErrAcces)
	expect(u, "rename", two.Rename(m.Root(), "f", m.Root(), "g").Status, nfs.ErrAcces)
	expect(u, "remove", one.Remove(m.Root(), "f").Status, nfs.OK)
	expect(u, "a device of a user's", one.Mknod(m.Root(), "d", nfs.BlockDevice, nfs.Device{}).Status, nfs.ErrPerm)
	expect(u, "a device of root's", u.Mknod(m.Root(), "d", nfs.BlockDevice, nfs.Device{Major: 1}).Status, nfs.OK)
}

func TestHeldCallsGoOnWhenTheyAreReleased(t *testing.T) {
	m, u := rig(t, Options{})
	f := m.Put("f", []byte("old"))
	for _, at := range []Stage{Before, After} {
		trap := m.Hold(at, Only(nfs.ProcWrite))
		done := make(chan nfs.WriteResult)
		go func() { done <- u.Write(f, 0, nfs.FileSync, []byte("new")) }()
		if p := <-trap.Caught; p != nfs.ProcWrite {
			t.Errorf("%v is caught", p)
		}
		if got, want := string(m.Get("f")), map[Stage]string{Before: "old", After: "new"}[at]; got != want {
			t.Errorf("stage %d: %q", at, got)
		}
		u.GetAttr(f) // goes through
		trap.Release()
		if r := <-done; r.Status != nfs.OK || string(m.Get("f")) != "new" {
			t.Errorf("stage %d: %+v", at, r)
		}
		m.Put("f", []byte("old"))
	}
}

func TestAContextEndsAHeldCall(t *testing.T) {
	m, _ := rig(t, Options{})
	f := m.Put("f", []byte("old"))
	for _, at := range []Stage{Before, After} {
		trap := m.Hold(at, Only(nfs.ProcWrite))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- m.Do(ctx, &nfs.Caller{}, nfs.ProcWrite, &nfs.WriteArgs{File: f, Data: []byte("new")}, new(nfs.WriteResult))
		}()
		<-trap.Caught
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, nfs.ErrOutcomeUnknown) != (at == After) {
			t.Errorf("stage %d: %v", at, err)
		}
		trap.Release()
	}
}

func TestFailedCallsEndWithTheError(t *testing.T) {
	m, u := rig(t, Options{})
	for at, executed := range map[Stage]int{Before: 0, After: 1} {
		trap := m.Fail(at, nfs.ErrAway, Only(nfs.ProcMkdir))
		before := m.Calls(nfs.ProcMkdir)
		a := &nfs.MkdirArgs{Where: nfs.DirOp{Dir: m.Root(), Name: "d"}}
		if err := m.Do(t.Context(), &nfs.Caller{}, nfs.ProcMkdir, a, new(nfs.CreateResult)); !errors.Is(err, nfs.ErrAway) {
			t.Error(err)
		}
		if n := m.Calls(nfs.ProcMkdir) - before; n != executed || (m.Find("d") != nil) != (executed == 1) {
			t.Errorf("stage %d: executed %d times", at, n)
		}
		trap.Release()
		u.Rmdir(m.Root(), "d")
	}
}
