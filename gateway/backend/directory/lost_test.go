package directory_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// failingDisk mounts a file system on a disk that says it has 64 MiB and fails when a few of them are written. Without a journal, the
// file system goes on after the disk has failed.
func failingDisk(t *testing.T) string {
	t.Helper()
	dir := folderIn(t, "/dev/shm")
	mount := func(source, name, kind, options string) string {
		at := filepath.Join(dir, name)
		must(t, os.Mkdir(at, 0o755))
		if err := unix.Mount(source, at, kind, 0, options); err != nil {
			t.Skip("nothing can be mounted here: ", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
		return at
	}
	image := filepath.Join(mount("none", "small", "tmpfs", "size=6m"), "image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 64<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-O", "^has_journal", image).CombinedOutput(); err != nil {
		t.Skipf("no ext4 to be had: %v: %s", err, out)
	}
	out, err := exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device to be had here: %v: %s", err, out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", device).Run() })
	export := filepath.Join(mount(device, "disk", "ext4", ""), "export")
	must(t, os.Mkdir(export, 0o755))
	return export
}

// Data that the kernel couldn't write back is lost to whoever wrote it, also after a restart, and so the verifier changes for good.
func TestLostDataChangesTheVerifier(t *testing.T) {
	path := failingDisk(t)
	d := open(t, path)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	p := make([]byte, 1<<20)
	for i := range p {
		p[i] = byte(i)
	}
	before := u.Write(f, 0, nfs.Unstable, []byte("fits")).Verifier
	expect(t, "commit what fits", u.Commit(f).Status, nfs.OK)
	for i := range 16 {
		w := u.Write(f, uint64(i)<<20, nfs.Unstable, p)
		if w.Status != nfs.OK || w.Verifier != before {
			t.Fatalf("%+v", w)
		}
	}
	if s := u.Commit(f).Status; s == nfs.OK {
		t.Fatal("the data is lost, and COMMIT says nothing")
	}
	after := u.Write(f, 0, nfs.Unstable, []byte("x")).Verifier
	if after == before {
		t.Error("the verifier stays")
	}
	must(t, d.Close())
	d = open(t, path)
	u.FS = d
	if w := u.Write(f, 0, nfs.Unstable, []byte("x")); w.Status != nfs.OK || w.Verifier == before {
		t.Errorf("after a restart: %v, verifier %x, before the loss %x", w.Status, w.Verifier, before)
	}
}

// What is answered as durable has been so: a disk that fails is noticed at once.
func TestDurableMeansOnTheDisk(t *testing.T) {
	path := failingDisk(t)
	d := open(t, path)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	p := make([]byte, 1<<20)
	for i := range p {
		p[i] = byte(i)
	}
	for _, stable := range []nfs.Stable{nfs.DataSync, nfs.FileSync} {
		failed := false
		for i := range 16 {
			failed = failed || u.Write(f, uint64(i)<<20, stable, p).Status != nfs.OK
		}
		if !failed {
			t.Errorf("WRITEs of stability %d don't reach the disk", stable)
		}
	}
	for what, failed := range map[string]func(i int) nfs.Status{
		"CREATE": func(i int) nfs.Status { return u.Create(d.Root(), fmt.Sprint("file-", i), 0o644).Status },
		"MKDIR":  func(i int) nfs.Status { return u.Mkdir(d.Root(), fmt.Sprint("dir-", i), 0o755).Status },
		"SYMLINK": func(i int) nfs.Status {
			return u.Symlink(d.Root(), fmt.Sprint("link-", i), strings.Repeat("x", 1000)).Status
		},
	} {
		n := 0
		for ; n < 300 && failed(n) == nfs.OK; n++ {
		}
		if n == 300 {
			t.Errorf("%s doesn't reach the disk", what)
		}
	}
}
