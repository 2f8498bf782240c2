package file_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/gateway/backend/file"
)

const size = 8 << 20

func open(t testing.TB, o file.Options) *file.Array {
	t.Helper()
	a, err := file.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// options are of a file that isn't there yet, on the filesystem of temporary files.
func options(t testing.TB, blockSize int) file.Options {
	return file.Options{Path: filepath.Join(t.TempDir(), "disk.img"), Size: size, Create: true, BlockSize: blockSize, Log: zerolog.New(zerolog.NewTestWriter(t))}
}

func TestSuiteOnAFile(t *testing.T) {
	for _, blockSize := range []int{512, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			arraytest.Suite(t, func(t *testing.T) cachecore.Array { return open(t, options(t, blockSize)) })
		})
	}
}

func TestSuiteOnAFileInMemory(t *testing.T) {
	arraytest.Suite(t, func(t *testing.T) cachecore.Array {
		dir, err := os.MkdirTemp("/dev/shm", "forebay-file-")
		if err != nil {
			t.Skip("no tmpfs here: ", err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		o := options(t, 512)
		o.Path = filepath.Join(dir, "disk.img")
		return open(t, o)
	})
}

func TestSuiteOnADevice(t *testing.T) {
	for _, sectors := range []struct{ device, volume int }{{512, 512}, {512, 4096}, {4096, 4096}} {
		t.Run(fmt.Sprintf("%d under %d", sectors.device, sectors.volume), func(t *testing.T) {
			arraytest.Suite(t, func(t *testing.T) cachecore.Array { return open(t, deviceOptions(t, sectors.device, sectors.volume)) })
		})
	}
}

// The device wants 4096 and the volume has 512: the page cache has to keep neighbours whole.
func TestSuiteOnADeviceOfLargerSectors(t *testing.T) {
	var said bytes.Buffer
	arraytest.Suite(t, func(t *testing.T) cachecore.Array {
		o := deviceOptions(t, 4096, 512)
		o.Log = zerolog.New(&said)
		said.Reset()
		a := open(t, o)
		if n := strings.Count(said.String(), "page cache"); n != 1 {
			t.Errorf("the fall-back is told %d times: %s", n, said.String())
		}
		return a
	})
}

// deviceOptions are of a loop device, which needs root.
func deviceOptions(t testing.TB, sectors, blockSize int) file.Options {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loop devices need root")
	}
	backing := filepath.Join(t.TempDir(), "backing")
	if err := os.WriteFile(backing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(backing, size); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", "--sector-size", fmt.Sprint(sectors), backing).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device to be had here: %v: %s", err, out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("detach %s: %s", device, out)
		}
	})
	return file.Options{Path: device, BlockSize: blockSize, Log: zerolog.New(zerolog.NewTestWriter(t))}
}
