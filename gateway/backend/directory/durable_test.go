package directory_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/gateway/backend/directory"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// What has been answered is found again when the machine stops right afterwards: RFC 1813 4.8 wants it of each change of a name or an attribute.
func TestWhatIsAnsweredOutlivesTheMachine(t *testing.T) {
	size := func(path string) int64 { return lstat(t, path).Size }
	mode := func(path string) uint32 { return lstat(t, path).Mode & 0o7777 }
	for name, c := range map[string]struct {
		change func(u nfstest.User, a, b nfs.Handle) nfs.Status // of two directories
		there  func(path string) bool
	}{
		"REMOVE": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Remove(a, "file").Status },
			func(path string) bool { return !exists(path + "/a/file") },
		},
		"RMDIR": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Rmdir(a, "empty").Status },
			func(path string) bool { return !exists(path + "/a/empty") },
		},
		"RENAME": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Rename(a, "file", a, "other").Status },
			func(path string) bool { return !exists(path+"/a/file") && exists(path+"/a/other") },
		},
		"RENAME to another directory": {
			func(u nfstest.User, a, b nfs.Handle) nfs.Status { return u.Rename(a, "file", b, "file").Status },
			func(path string) bool { return !exists(path+"/a/file") && exists(path+"/b/file") },
		},
		"LINK": {
			func(u nfstest.User, a, b nfs.Handle) nfs.Status {
				return u.Link(find(t, u, a, "file"), b, "too").Status
			},
			func(path string) bool { return exists(path + "/b/too") },
		},
		"SETATTR of a size": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Truncate(find(t, u, a, "file"), 1).Status },
			func(path string) bool { return size(path+"/a/file") == 1 },
		},
		"SETATTR of a file": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Chmod(find(t, u, a, "file"), 0o640).Status },
			func(path string) bool { return mode(path+"/a/file") == 0o640 },
		},
		"SETATTR of a directory": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Chmod(a, 0o750).Status },
			func(path string) bool { return mode(path+"/a") == 0o750 },
		},
		"SETATTR of what can't be opened": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Chmod(find(t, u, a, "fifo"), 0o620).Status },
			func(path string) bool { return mode(path+"/a/fifo") == 0o620 },
		},
		"CREATE": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Create(a, "new", 0o640).Status },
			func(path string) bool { return exists(path+"/a/new") && mode(path+"/a/new") == 0o640 },
		},
		"CREATE of what is there": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status {
				attr := nfs.SetAttr{Size: nfs.Some[uint64](1)}
				return u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: a, Name: "file"}, Attr: attr}).Status
			},
			func(path string) bool { return size(path+"/a/file") == 1 },
		},
		"MKDIR": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Mkdir(a, "new", 0o750).Status },
			func(path string) bool { return exists(path+"/a/new") && mode(path+"/a/new") == 0o750 },
		},
		"SYMLINK": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status { return u.Symlink(a, "new", "some/where").Status },
			func(path string) bool {
				to, err := os.Readlink(path + "/a/new")
				return err == nil && to == "some/where"
			},
		},
		"MKNOD": {
			func(u nfstest.User, a, _ nfs.Handle) nfs.Status {
				return u.Mknod(a, "new", nfs.FIFO, nfs.Device{}).Status
			},
			func(path string) bool { return exists(path + "/a/new") },
		},
	} {
		for what, mkfs := range map[string][]string{"with": withJournal, "without": withoutJournal} {
			t.Run(name+" "+what+" a journal", func(t *testing.T) {
				on := newDisk(t, filepath.Join(folderIn(t, "/dev/shm"), "image"), 8<<20, mkfs)
				d := open(t, on.export)
				u := nfstest.User{T: t, FS: d}
				a, b := twoDirectories(t, u, d.Root())
				on.sync(t)
				expect(t, name, c.change(u, a, b), nfs.OK)
				if !c.there(on.export) {
					t.Fatal("it isn't done")
				}
				if !c.there(on.afterCrash(t).export) {
					t.Error("it is done in memory alone")
				}
			})
		}
	}
}

// twoDirectories makes a, with something of several kinds in it, and b, empty.
func twoDirectories(t *testing.T, u nfstest.User, root nfs.Handle) (a, b nfs.Handle) {
	t.Helper()
	a, b = u.Mkdir(root, "a", 0o755).Object.Value, u.Mkdir(root, "b", 0o755).Object.Value
	f := makeFile(t, u, a, "file", 0o600)
	expect(t, "write", u.Write(f, 0, nfs.FileSync, []byte("content")).Status, nfs.OK)
	expect(t, "make a directory", u.Mkdir(a, "empty", 0o755).Status, nfs.OK)
	expect(t, "make a FIFO", u.Mknod(a, "fifo", nfs.FIFO, nfs.Device{}).Status, nfs.OK)
	return a, b
}

// An array that is told to be there is so after the machine has stopped, with the identity that was told.
func TestAFolderIsMadeDurably(t *testing.T) {
	on := newDisk(t, filepath.Join(folderIn(t, "/dev/shm"), "image"), 4<<20, withoutJournal)
	on.sync(t)
	id, err := attach(directory.Options{Path: on.top + "/made", Create: true})
	must(t, err)
	if again, err := attach(directory.Options{Path: on.afterCrash(t).top + "/made"}); err != nil || again != id {
		t.Errorf("%q is %q afterwards: %v", id, again, err)
	}
}

func lstat(t *testing.T, path string) (st unix.Stat_t) {
	t.Helper()
	must(t, unix.Lstat(path, &st))
	return st
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
