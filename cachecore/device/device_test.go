package device_test

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

func open(t *testing.T, o device.Options) *device.File {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "tier")
	}
	f, err := device.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFileIsADevice(t *testing.T) {
	devicetest.Suite(t, func(t *testing.T) device.Device { return open(t, device.Options{Size: 2 << 20}) })
}

func TestSparseFileIsADevice(t *testing.T) {
	devicetest.Suite(t, func(t *testing.T) device.Device { return open(t, device.Options{Size: 2 << 20, Sparse: true}) })
}

func TestMemoryIsADevice(t *testing.T) {
	devicetest.Suite(t, func(t *testing.T) device.Device {
		m, err := device.NewMemory(device.Buffer(1 << 20))
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}

func TestASecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	f := open(t, device.Options{Path: path, Size: 1 << 20})
	if _, err := device.Open(device.Options{Path: path, Size: 1 << 20}); !errors.Is(err, device.ErrInUse) {
		t.Errorf("second open: %v", err)
	}
	f.Close()
	open(t, device.Options{Path: path}).Close()
}

func TestTheSpaceOfAFileIsAllocatedUnlessSparse(t *testing.T) {
	for _, sparse := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "tier")
		open(t, device.Options{Path: path, Size: 4 << 20, Sparse: sparse}).Close()
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		if allocated := st.Blocks * 512; st.Size != 4<<20 || (allocated < 4<<20) != sparse {
			t.Errorf("sparse %v: %d bytes, %d allocated", sparse, st.Size, allocated)
		}
	}
}

func TestAFileGrowsAndKeepsItsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	f := open(t, device.Options{Path: path, Size: 1 << 20})
	p := device.Buffer(device.Unit)
	p[0] = 42
	if err := errors.Join(f.WriteDurable(p, 0), f.Close()); err != nil {
		t.Fatal(err)
	}
	f = open(t, device.Options{Path: path, Size: 2 << 20})
	defer f.Close()
	p[0] = 0
	if err := f.ReadAt(p, 0); err != nil || p[0] != 42 || f.Size() != 2<<20 {
		t.Errorf("byte %d, size %d, error %v", p[0], f.Size(), err)
	}
}

func TestAFileGrowsWhileItIsOpen(t *testing.T) {
	for _, sparse := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "tier")
		f := open(t, device.Options{Path: path, Size: 1 << 20, Sparse: sparse})
		last := device.Buffer(device.Unit)
		last[0] = 42
		if err := f.WriteAt(last, 1<<20-device.Unit); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteAt(last, 2<<20-device.Unit); err == nil {
			t.Error("written beyond the end")
		}
		if err := errors.Join(f.Grow(2<<20), f.Grow(1<<20), f.WriteAt(last, 2<<20-device.Unit), f.WriteDurable(last, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if err := f.Grow(3<<20 + 1); err == nil || f.Size() != 2<<20 {
			t.Errorf("%d bytes: %v", f.Size(), err)
		}
		got := device.Buffer(device.Unit)
		if err := f.ReadAt(got, 1<<20-device.Unit); err != nil || got[0] != 42 {
			t.Errorf("%d: %v", got[0], err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != 2<<20 {
			t.Errorf("%v: %v", info, err)
		}
		f.Close()
	}
}

// A file doesn't grow beyond what its file system has, and stays as it was then.
func TestAFileDoesNotGrowBeyondItsFileSystem(t *testing.T) {
	f := open(t, device.Options{Path: filepath.Join(t.TempDir(), "tier"), Size: 1 << 20})
	defer f.Close()
	if err := f.Grow(1 << 60); !errors.Is(err, device.ErrNoRoom) || f.Size() != 1<<20 {
		t.Errorf("%d bytes: %v", f.Size(), err)
	}
	if err := f.Grow(2 << 20); err != nil || f.Size() != 2<<20 {
		t.Errorf("%d bytes: %v", f.Size(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]device.Options{
		"a part of a unit":             {Path: filepath.Join(dir, "a"), Size: 512},
		"a folder":                     {Path: dir, Size: 1 << 20},
		"what is missing without size": {Path: filepath.Join(dir, "b")},
		"an empty file without size":   {Path: empty},
		"a character device":           {Path: "/dev/null", Size: 1 << 20},
	} {
		if f, err := device.Open(o); err == nil {
			f.Close()
			t.Errorf("opened %s", name)
		}
	}
}

func TestAFileThatWasCutFailsItsReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	f := open(t, device.Options{Path: path, Size: 1 << 20})
	defer f.Close()
	if err := os.Truncate(path, device.Unit); err != nil {
		t.Fatal(err)
	}
	if err := f.ReadAt(device.Buffer(device.Unit), device.Unit); err == nil {
		t.Error("read beyond the end of the file")
	}
}

func TestAfterAFailedDurableWriteNothingIsDurable(t *testing.T) {
	f := open(t, device.Options{Size: 1 << 20, Sparse: true})
	p := device.Buffer(device.Unit)
	restore := limitFileSize(t, device.Unit)
	err := f.WriteDurable(p, 16*device.Unit)
	restore()
	if err == nil {
		t.Skip("the limit of file sizes doesn't hold here")
	}
	if err := f.WriteDurable(p, 0); !errors.Is(err, device.ErrBroken) {
		t.Errorf("durable write after the failure: %v", err)
	}
	if err := f.Sync(); !errors.Is(err, device.ErrBroken) {
		t.Errorf("sync after the failure: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// limitFileSize makes writes beyond n bytes fail with EFBIG, until restore.
func limitFileSize(t *testing.T, n uint64) (restore func()) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}
}
