package directory_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// disk is a file system of its own on a loop device, over an image that is a file.
type disk struct {
	image  string
	top    string // where it is mounted
	export string // a folder there
}

// What makes file systems. With a journal, fdatasync leaves out attributes; without one, what isn't told to be made durable is not so
// by chance.
var (
	withJournal    = []string{"mkfs.ext4", "-q"}
	withoutJournal = []string{"mkfs.ext4", "-q", "-O", "^has_journal"}
	withSubvolumes = []string{"mkfs.btrfs", "-q"}
)

// newDisk makes a disk of that many bytes, and skips the test where none can be had.
func newDisk(t *testing.T, image string, size int64, mkfs []string) *disk {
	t.Helper()
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, size))
	if out, err := exec.Command(mkfs[0], append(mkfs[1:], image)...).CombinedOutput(); err != nil {
		t.Skipf("%s: %v: %s", mkfs[0], err, out)
	}
	d := mountImage(t, image)
	must(t, os.Mkdir(d.export, 0o755))
	return d
}

// mountImage mounts an image at a place beside it.
func mountImage(t *testing.T, image string) *disk {
	t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device to be had here: %v: %s", err, out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", device).Run() })
	top := folderIn(t, "/dev/shm") + "/disk"
	mountAt(t, top, device)
	return &disk{image: image, top: top, export: filepath.Join(top, "export")}
}

// mountAt mounts something at a new place, as mount(8) would with those arguments.
func mountAt(t *testing.T, at string, what ...string) {
	t.Helper()
	must(t, os.Mkdir(at, 0o755))
	if out, err := exec.Command("mount", append(what, at)...).CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

// sync makes all there is durable.
func (d *disk) sync(t *testing.T) {
	t.Helper()
	top, err := os.Open(d.top)
	must(t, err)
	defer top.Close()
	must(t, unix.Syncfs(int(top.Fd())))
}

// freeze makes whoever writes to the disk wait until it is thawed.
func (d *disk) freeze(t *testing.T) (thaw func()) {
	t.Helper()
	must(t, exec.Command("fsfreeze", "--freeze", d.top).Run())
	thaw = sync.OnceFunc(func() { must(t, exec.Command("fsfreeze", "--unfreeze", d.top).Run()) })
	t.Cleanup(thaw)
	return thaw
}

// afterCrash is the disk as it would be found if the machine stopped now: what the kernel still has in memory is not there.
func (d *disk) afterCrash(t *testing.T) *disk {
	t.Helper()
	content, err := os.ReadFile(d.image)
	must(t, err)
	image := filepath.Join(folderIn(t, "/dev/shm"), "image")
	must(t, os.WriteFile(image, content, 0o600))
	return mountImage(t, image)
}
