package device_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/cachecore/device"
)

// A file that the file system has no room for leaves what there was of it: ext4 gives all that is left before it says that it is full.
func TestAFileThatDoesNotFitTakesNothing(t *testing.T) {
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "fs")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 32<<20), os.Mkdir(at, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, at}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no file system to be had here: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	const slack = 64 << 10 // the file system's own
	path := filepath.Join(at, "log")
	for _, before := range []int64{0, 1 << 20} {
		if before > 0 {
			open(t, device.Options{Path: path, Size: before}).Close()
		}
		if _, err := device.Open(device.Options{Path: path, Size: 64 << 20}); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("it is opened: %v", err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != before || allocated(t, path) > before+slack {
			t.Errorf("with %d bytes before: %v, %d bytes, %d allocated", before, err, info.Size(), allocated(t, path))
		}
	}
	d := open(t, device.Options{Path: path, Size: 2 << 20})
	if err := d.Grow(64 << 20); !errors.Is(err, device.ErrNoRoom) || d.Size() != 2<<20 || allocated(t, path) > 2<<20+slack {
		t.Errorf("%v: %d bytes, %d allocated", err, d.Size(), allocated(t, path))
	}
}
