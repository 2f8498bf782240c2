package device_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"forebay/cachecore/device"
)

// allocated is how many bytes a file takes.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// What is in a tier is the content of others' disks.
func TestAFileIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	open(t, device.Options{Path: path, Size: 1 << 20}).Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", info.Mode(), err)
	}
}

// The space of a file that was sparse, or whose making was cut short, is allocated by an Open that wants it so, and by a Grow.
func TestTheSpaceOfAFileIsAllocatedWhateverItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	open(t, device.Options{Path: path, Size: 4 << 20, Sparse: true}).Close()
	f := open(t, device.Options{Path: path, Size: 4 << 20})
	defer f.Close()
	if n := allocated(t, path); n < 4<<20 {
		t.Errorf("%d bytes of 4 MiB are allocated", n)
	}
	if err := f.Grow(6 << 20); err != nil {
		t.Fatal(err)
	}
	if n := allocated(t, path); n < 6<<20 {
		t.Errorf("%d bytes of 6 MiB are allocated", n)
	}
}

// A sparse file gives back what is discarded, an allocated one keeps its space: no write there may find the file system full.
func TestOnlyASparseFileGivesBackItsSpace(t *testing.T) {
	for _, sparse := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "tier")
		f := open(t, device.Options{Path: path, Size: 4 << 20, Sparse: sparse})
		p := device.Buffer(4 << 20)
		for i := range p {
			p[i] = 1
		}
		if err := errors.Join(f.WriteAt(p, 0), f.Sync()); err != nil {
			t.Fatal(err)
		}
		before := allocated(t, path)
		err := errors.Join(f.Discard(0, 0), f.Discard(1<<20, 2<<20))
		if errors.Is(err, device.ErrUnsupported) != !sparse || (err != nil) != !sparse {
			t.Errorf("sparse %v: %v", sparse, err)
		}
		if gone := before - allocated(t, path); sparse && gone < 2<<20 || !sparse && gone != 0 {
			t.Errorf("sparse %v: %d bytes are given back", sparse, gone)
		}
		if err := f.Allocate(0, 0); err != nil {
			t.Errorf("allocate nothing: %v", err)
		}
		f.Close()
	}
}

func TestAFileIsUsedDownToWholeUnits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	if err := os.WriteFile(path, make([]byte, 3*device.Unit+100), 0o600); err != nil {
		t.Fatal(err)
	}
	f := open(t, device.Options{Path: path})
	defer f.Close()
	if f.Size() != 3*device.Unit {
		t.Errorf("%d bytes", f.Size())
	}
	if f, err := device.Open(device.Options{Path: path, Size: -device.Unit}); err == nil || errors.Is(err, device.ErrInUse) {
		t.Errorf("opened with less than nothing: %v, %v", f, err)
	}
}

// Open leaves nothing where it was not asked to make something.
func TestAFileIsNotMadeWithoutASize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	for _, size := range []int64{0, -device.Unit, 100} {
		if f, err := device.Open(device.Options{Path: path, Size: size}); err == nil {
			f.Close()
			t.Errorf("opened with a size of %d", size)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("size %d: there is a file: %v", size, err)
		}
	}
}

// An Open that fails leaves the file to others.
func TestAFileThatIsRefusedIsNotHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := device.Open(device.Options{Path: path}); err == nil {
		f.Close()
		t.Fatal("an empty file is opened without a size")
	}
	open(t, device.Options{Path: path, Size: 1 << 20, Sparse: true}).Close()
}

// A block device that is mounted, or is part of another one, is held like this.
func TestABlockDeviceThatIsHeldIsNotOpened(t *testing.T) {
	dev := loop(t)
	fd, err := unix.Open(dev, unix.O_RDONLY|unix.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := device.Open(device.Options{Path: dev}); !errors.Is(err, device.ErrInUse) {
		t.Errorf("opened: %v", err)
		if err == nil {
			f.Close()
		}
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	f := open(t, device.Options{Path: dev})
	defer f.Close()
	if err := f.Allocate(0, f.Size()); err != nil {
		t.Errorf("a block device has its space: %v", err)
	}
}

func TestARangeBeyondAllNumbersIsRefused(t *testing.T) {
	const last = math.MaxInt64 &^ (device.Unit - 1)
	for _, c := range []struct{ off, n int64 }{{last, device.Unit}, {device.Unit, last}, {last, last}, {-device.Unit, 2 * device.Unit}, {0, -device.Unit}} {
		if device.CheckRange(1<<20, c.off, c.n) == nil {
			t.Errorf("%d bytes at %d are taken", c.n, c.off)
		}
	}
}

// A buffer begins on a page and ends where it should: nobody reaches what is behind it.
func TestABufferIsOnAPage(t *testing.T) {
	for _, n := range []int{0, 1, device.Unit, 3*device.Unit + 1} {
		b := device.Buffer(n)
		if len(b) != n || cap(b) != n || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%device.Unit != 0 && n > 0 {
			t.Errorf("%d bytes: length %d, room for %d", n, len(b), cap(b))
		}
	}
}

func TestMemoryIsWholePagesAndShowsNoMore(t *testing.T) {
	whole := device.Buffer(4 * device.Unit)
	for _, mem := range [][]byte{nil, whole[:100], whole[100:][:device.Unit]} {
		if _, err := device.NewMemory(mem); err == nil {
			t.Errorf("%d bytes at any place are taken", len(mem))
		}
	}
	m, err := device.NewMemory(whole[:3*device.Unit])
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Bytes(device.Unit, device.Unit); len(b) != device.Unit || cap(b) != device.Unit || &b[0] != &whole[device.Unit] {
		t.Errorf("a range of %d bytes, with room for %d", len(b), cap(b))
	}
	for _, c := range []struct{ off, n int64 }{{3 * device.Unit, device.Unit}, {0, 4 * device.Unit}, {-device.Unit, device.Unit}, {100, device.Unit}} {
		if m.Bytes(c.off, c.n) != nil {
			t.Errorf("%d bytes at %d are shown", c.n, c.off)
		}
	}
}
