package directory_test

import (
	"fmt"
	"os"
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
	small := filepath.Join(folderIn(t, "/dev/shm"), "small")
	mountAt(t, small, "-t", "tmpfs", "-o", "size=6m", "none")
	return newDisk(t, filepath.Join(small, "image"), 64<<20, withoutJournal).export
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

// The kernel may lose what a WRITE has written before the WRITE is answered: then the answer must not have the verifier of afterwards, by which
// the client would think that it is still there.
func TestAWriteIsAnsweredWithTheVerifierOfBefore(t *testing.T) {
	on := newDisk(t, filepath.Join(folderIn(t, "/dev/shm"), "image"), 8<<20, withoutJournal)
	d := open(t, on.export)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	before := u.Write(f, 0, nfs.Unstable, []byte("a")).Verifier
	thaw := on.freeze(t)
	answer := make(chan nfs.WriteResult, 1)
	go func() { answer <- u.Write(f, 0, nfs.Unstable, []byte("b")) }()
	waitForSyscall(t, unix.SYS_PWRITE64)
	d.CountLoss()
	thaw()
	if w := <-answer; w.Status != nfs.OK || w.Verifier != before {
		t.Errorf("%v, verifier %x, that of before is %x", w.Status, w.Verifier, before)
	}
	if w := u.Write(f, 0, nfs.Unstable, []byte("c")); w.Verifier == before {
		t.Error("the verifier stays")
	}
}

// waitForSyscall waits until a thread of this process is in a system call.
func waitForSyscall(t *testing.T, number int) {
	t.Helper()
	for t.Context().Err() == nil {
		calls, err := filepath.Glob("/proc/self/task/*/syscall")
		must(t, err)
		for _, call := range calls {
			if p, err := os.ReadFile(call); err == nil && strings.HasPrefix(string(p), fmt.Sprint(number, " ")) {
				return
			}
		}
	}
}

// A COMMIT comes while a WRITE is on its way to the kernel: the file is made durable again when it is closed, as the kernel may tell nobody afterwards that it
// couldn't.
func TestAWriteThatACommitOvertookIsMadeDurableWhenTheFileIsClosed(t *testing.T) {
	on := newDisk(t, filepath.Join(folderIn(t, "/dev/shm"), "image"), 8<<20, withoutJournal)
	d := open(t, on.export)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	expect(t, "WRITE", u.Write(f, 0, nfs.FileSync, []byte("a")).Status, nfs.OK)
	thaw := on.freeze(t)
	answer := make(chan nfs.Status, 1)
	go func() { answer <- u.Write(f, 0, nfs.Unstable, []byte("b")).Status }()
	waitForSyscall(t, unix.SYS_PWRITE64)
	expect(t, "COMMIT", u.Commit(f).Status, nfs.OK)
	thaw()
	expect(t, "WRITE", <-answer, nfs.OK)
	must(t, d.Close())
	if got, err := os.ReadFile(filepath.Join(on.afterCrash(t).export, "f")); err != nil || string(got) != "b" {
		t.Errorf("after a crash: %q, %v", got, err)
	}
}
