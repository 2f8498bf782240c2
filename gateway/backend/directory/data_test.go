package directory_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

func TestSparseFilesBeyond4GiB(t *testing.T) {
	for name, where := range places {
		t.Run(name, func(t *testing.T) {
			path := folderIn(t, where)
			d := open(t, path)
			u := nfstest.User{T: t, FS: d}
			f := makeFile(t, u, d.Root(), "f", 0o644)
			const far = 5<<30 + 123
			expect(t, "write", u.Write(f, far, nfs.FileSync, []byte("far away")).Status, nfs.OK)
			a := u.GetAttr(f).Attr
			if a.Size != far+8 || a.Used > 1<<20 || a.Used == 0 {
				t.Errorf("%+v", a)
			}
			if r := u.Read(f, far-8, 32); string(r.Data) != "\x00\x00\x00\x00\x00\x00\x00\x00far away" || !r.EOF || r.Count != 16 {
				t.Errorf("%+v", r)
			}
			if r := u.Read(f, far-8, 16); len(r.Data) != 16 || !r.EOF {
				t.Errorf("up to the end: %+v", r)
			}
			if r := u.Read(f, far-8, 15); len(r.Data) != 15 || r.EOF {
				t.Errorf("up to before the end: %+v", r)
			}
			if r := u.Read(f, 1<<32, 4096); !bytes.Equal(r.Data, make([]byte, 4096)) || r.EOF {
				t.Errorf("a hole: %d bytes, EOF %t", r.Count, r.EOF)
			}
			expect(t, "grow", u.Truncate(f, 1<<40).Status, nfs.OK)
			if a := u.GetAttr(f).Attr; a.Size != 1<<40 {
				t.Errorf("%+v", a)
			}
			beyond := u.Read(f, 1<<63+5, 10)
			if expect(t, "read", beyond.Status, nfs.OK); beyond.Count != 0 || !beyond.EOF {
				t.Errorf("%+v", beyond)
			}
			expect(t, "write beyond all", u.Write(f, 1<<63-2, nfs.Unstable, []byte("xxx")).Status, nfs.ErrFBig)
			expect(t, "write beyond all", u.Write(f, 1<<64-1, nfs.Unstable, []byte("xxx")).Status, nfs.ErrFBig)
			expect(t, "grow beyond all", u.Truncate(f, 1<<63).Status, nfs.ErrFBig)
		})
	}
}

// What FSINFO says to be possible is answered by a write log before the kernel is asked (PROTOCOL E4).
func TestE4_FilesCanBeAsLongAsFSINFOSaysAndNoLonger(t *testing.T) {
	for name, where := range places {
		t.Run(name, func(t *testing.T) {
			d := open(t, folderIn(t, where))
			u := nfstest.User{T: t, FS: d}
			f := makeFile(t, u, d.Root(), "f", 0o644)
			longest := u.FSInfo(d.Root()).MaxFileSize
			expect(t, "as long as can be", u.Truncate(f, longest).Status, nfs.OK)
			expect(t, "longer", u.Truncate(f, longest+1).Status, nfs.ErrFBig)
			expect(t, "a byte at the end", u.Write(f, longest-1, nfs.FileSync, []byte("x")).Status, nfs.OK)
			expect(t, "one behind it", u.Write(f, longest, nfs.FileSync, []byte("x")).Status, nfs.ErrFBig)
			if r := u.Read(f, longest-1, 1); string(r.Data) != "x" || !r.EOF {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTransfersAreBounded(t *testing.T) {
	_, u, root := rig(t)
	f := makeFile(t, u, root, "f", 0o644)
	p := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	r := u.Write(f, 0, nfs.DataSync, p)
	if r.Status != nfs.OK || r.Count != 1<<20 || r.Committed != nfs.DataSync {
		t.Errorf("%+v", r)
	}
	u.Write(f, 1<<20, nfs.FileSync, p[1<<20:])
	if r := u.Read(f, 0, 2<<20); r.Count != 1<<20 || r.EOF || !bytes.Equal(r.Data, p[:1<<20]) {
		t.Errorf("%d bytes, EOF %t", r.Count, r.EOF)
	}
	if r := u.Read(f, 1<<20, 2<<20); r.Count != 1<<20 || !r.EOF || !bytes.Equal(r.Data, p[1<<20:]) {
		t.Errorf("%d bytes, EOF %t", r.Count, r.EOF)
	}
	if r := u.Read(f, 0, 0); r.Status != nfs.OK || r.Count != 0 || r.EOF {
		t.Errorf("%+v", r)
	}
}

func TestTheVerifierOutlivesTheProcess(t *testing.T) {
	path := folderIn(t, os.TempDir())
	d := open(t, path)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	w := u.Write(f, 0, nfs.Unstable, []byte("data"))
	must(t, d.Close())
	u.FS = open(t, path)
	if c := u.Commit(f); c.Status != nfs.OK || c.Verifier != w.Verifier || c.Verifier == (nfs.Verifier{}) {
		t.Errorf("%+v, WRITE has %x", c, w.Verifier)
	}
}

// openFiles counts what the process has open in a folder.
func openFiles(t *testing.T, path string) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && filepath.Dir(name) == path {
			n++
		}
	}
	return n
}

func TestFewFilesAreKeptOpenAndNotForLong(t *testing.T) {
	path := folderIn(t, "/dev/shm")
	synctest.Test(t, func(t *testing.T) {
		d := open(t, path)
		u := nfstest.User{T: t, FS: d}
		var files []nfs.Handle
		for i := range 300 {
			files = append(files, makeFile(t, u, d.Root(), fmt.Sprint(i), 0o644))
		}
		for range 2 {
			for i, f := range files {
				expect(t, "write", u.Write(f, 0, nfs.Unstable, fmt.Append(nil, i)).Status, nfs.OK)
				if r := u.Read(f, 0, 10); string(r.Data) != fmt.Sprint(i) {
					t.Fatalf("%d: %+v", i, r)
				}
			}
		}
		if n := openFiles(t, path); n != 256 {
			t.Errorf("%d files are open", n)
		}
		time.Sleep(4 * time.Second)
		u.Read(files[299], 0, 10)
		time.Sleep(4 * time.Second)
		if n := openFiles(t, path); n != 1 {
			t.Errorf("%d files are open after a while", n)
		}
		time.Sleep(20 * time.Second)
		if n := openFiles(t, path); n != 0 {
			t.Errorf("%d files are open in the end", n)
		}
		u.Read(files[0], 0, 10)
		must(t, d.Close())
		if n := openFiles(t, path); n != 0 {
			t.Errorf("%d files are open after Close", n)
		}
	})
}

// Nothing of ours comes between before and after: each write begins with what another ended with.
func TestWccDataIsAtomic(t *testing.T) {
	_, root, u, alice, bob := shared(t)
	f := makeFile(t, alice, root, "f", 0o666)
	var mu sync.Mutex
	var steps []nfs.WccData
	keep := func(w nfs.WccData) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, w)
	}
	var group sync.WaitGroup
	for i, who := range []nfstest.User{alice, bob, u, bob} {
		group.Go(func() {
			for j := range 100 {
				w := who.Write(f, uint64(i*1000+j), nfs.Unstable, []byte("x"))
				expect(t, "write", w.Status, nfs.OK)
				keep(w.Wcc)
				if j%20 == 0 {
					keep(who.Truncate(f, uint64(i*1000)).Wcc)
				}
			}
		})
	}
	group.Wait()
	slices.SortFunc(steps, func(a, b nfs.WccData) int {
		if a.Before.Value.Ctime.Before(b.Before.Value.Ctime) {
			return -1
		}
		return 1
	})
	for i, w := range steps[1:] {
		last := steps[i].After.Value
		if w.Before.Value != (nfs.WccAttr{Size: last.Size, Mtime: last.Mtime, Ctime: last.Ctime}) {
			t.Fatalf("step %d begins with %+v, and the one before ends with %+v", i+1, w.Before.Value, last)
		}
	}
}

// Everybody does everything at the same time: for the race detector, and for what must be true at the end.
func TestManyAtOnce(t *testing.T) {
	path, root, u, alice, bob := shared(t)
	var group sync.WaitGroup
	for i, who := range []nfstest.User{alice, bob, u, alice.As(1002, 100)} {
		for j := range 2 {
			group.Go(func() { oneOfMany(t, who, root, fmt.Sprintf("%d-%d", i, j)) })
		}
	}
	group.Wait()
	left, err := os.ReadDir(path)
	must(t, err)
	if len(left) != 1 || left[0].Name() != "shared" {
		t.Errorf("%v is left", left)
	}
}

func oneOfMany(t *testing.T, u nfstest.User, root nfs.Handle, name string) {
	for i := range 20 {
		dir := u.Mkdir(root, name, 0o700).Object.Value
		f := u.Create(dir, "f", 0o600).Object.Value
		p := fmt.Append(nil, name, i)
		expect(t, "write", u.Write(f, 0, nfs.Stable(i%3), p).Status, nfs.OK)
		expect(t, "link", u.Link(f, root, name+"-link").Status, nfs.OK)
		if r := u.Read(f, 0, 100); !bytes.Equal(r.Data, p) || r.Attr.Value.UID != u.Caller.UID {
			t.Errorf("%s: %q, %+v", name, r.Data, r.Attr.Value)
		}
		u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: root, Name: "shared"}, Attr: nfs.SetAttr{Mode: nfs.Some[uint32](0o666)}})
		expect(t, "write", u.Write(find(t, u, root, "shared"), 0, nfs.FileSync, p).Status, nfs.OK)
		expect(t, "list", u.ReadDirPlus(root, 0, nfs.Verifier{}, 8192, 8192).Status, nfs.OK)
		expect(t, "rename", u.Rename(root, name+"-link", dir, "f").Status, nfs.OK) // the same file: nothing happens
		expect(t, "rename", u.Rename(dir, "f", root, name+"-moved").Status, nfs.OK)
		expect(t, "remove", u.Remove(root, name+"-moved").Status, nfs.OK)
		expect(t, "remove", u.Remove(root, name+"-link").Status, nfs.OK)
		expect(t, "rmdir", u.Rmdir(root, name).Status, nfs.OK)
	}
}
