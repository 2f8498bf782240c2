package device_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// closes counts them.
type closes struct {
	device.Device
	n int
}

func (c *closes) Close() error { c.n++; return c.Device.Close() }

func split(t *testing.T, dev device.Device, at int64) (low, high device.Device) {
	t.Helper()
	low, high, err := device.Split(dev, at)
	if err != nil {
		t.Fatal(err)
	}
	return low, high
}

func TestBothHalvesAreDevices(t *testing.T) {
	for name, make := range map[string]func(*testing.T) device.Device{
		"file": func(t *testing.T) device.Device { return open(t, device.Options{Size: 3 << 20, Sparse: true}) },
		"twin": func(*testing.T) device.Device { return devicetest.New(3 << 20) },
	} {
		t.Run(name+"/low", func(t *testing.T) {
			devicetest.Suite(t, func(t *testing.T) device.Device {
				low, high := split(t, make(t), 1<<20)
				if err := high.Close(); err != nil {
					t.Error(err)
				}
				return low
			})
		})
		t.Run(name+"/high", func(t *testing.T) {
			devicetest.Suite(t, func(t *testing.T) device.Device {
				low, high := split(t, make(t), 1<<20)
				if err := low.Close(); err != nil {
					t.Error(err)
				}
				return high
			})
		})
	}
}

// What is done to one half, or asked of it beyond its ends, leaves the other as it is.
func TestHalvesLeaveEachOtherAlone(t *testing.T) {
	const at = 1 << 20
	twin := devicetest.New(2 << 20)
	low, high := split(t, twin, at)
	ones, twos := bytes.Repeat([]byte{1}, at), bytes.Repeat([]byte{2}, at)
	a, b := device.Buffer(at), device.Buffer(at)
	copy(a, ones)
	copy(b, twos)
	if err := errors.Join(low.WriteAt(a, 0), high.WriteDurable(b, 0)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(twin.Image(), append(ones, twos...)) {
		t.Fatal("the halves lie elsewhere")
	}
	p := device.Buffer(2 * device.Unit)
	for _, half := range []device.Device{low, high} {
		for _, off := range []int64{-device.Unit, at - device.Unit, at, at + device.Unit} {
			if half.WriteAt(p, off) == nil || half.WriteDurable(p, off) == nil || half.ReadAt(p, off) == nil || half.Discard(off, int64(len(p))) == nil {
				t.Errorf("reaches beyond its end at %d", off)
			}
		}
	}
	if !bytes.Equal(twin.Image(), append(ones, twos...)) {
		t.Error("what was refused has been done")
	}
	if err := low.Discard(0, at); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(twin.Image()[at:], twos) {
		t.Error("a discard of the low half has changed the high one")
	}
	before := twin.Image()[:at]
	if err := high.Discard(0, at); err != nil {
		t.Fatal(err)
	}
	if now := twin.Image(); !bytes.Equal(now[:at], before) || bytes.Equal(now[at:], twos) {
		t.Error("a discard of the high half is not that of the high one alone")
	}
}

func TestTheLastCloseClosesTheDevice(t *testing.T) {
	c := &closes{Device: devicetest.New(1 << 20)}
	low, high := split(t, c, 4096)
	for i, half := range []device.Device{low, low, high, high} {
		if err := half.Close(); err != nil {
			t.Error(err)
		}
		if want := i / 2; c.n != want {
			t.Errorf("after close %d: closed %d times", i, c.n)
		}
	}
}

func TestASplitLeavesSomethingOnBothSides(t *testing.T) {
	for _, at := range []int64{-4096, 0, 4095, 1 << 20, 2 << 20} {
		if _, _, err := device.Split(devicetest.New(1<<20), at); err == nil {
			t.Errorf("split at %d", at)
		}
	}
}

// A sync that failed says nothing of either half's writes.
func TestAFailureOfOneHalfBreaksBoth(t *testing.T) {
	low, high := split(t, open(t, device.Options{Size: 1 << 20, Sparse: true}), 512<<10)
	p := device.Buffer(device.Unit)
	restore := limitFileSize(t, device.Unit)
	err := high.WriteDurable(p, 0)
	restore()
	if err == nil {
		t.Skip("the limit of file sizes doesn't hold here")
	}
	if err := low.Sync(); !errors.Is(err, device.ErrBroken) {
		t.Errorf("sync of the other half: %v", err)
	}
	if err := errors.Join(low.Close(), high.Close()); err != nil {
		t.Error(err)
	}
}

// A part of a sparse file is allocated, and what it has stays.
func TestTheSpaceOfAPartIsAllocated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tier")
	f := open(t, device.Options{Path: path, Size: 4 << 20, Sparse: true})
	defer f.Close()
	p := device.Buffer(device.Unit)
	p[0] = 42
	if err := errors.Join(f.WriteAt(p, 3<<20), f.Allocate(3<<20, 1<<20)); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if got := st.Blocks * 512; got < 1<<20 || got > 2<<20 {
		t.Errorf("%d bytes are allocated", got)
	}
	p[0] = 0
	if err := f.ReadAt(p, 3<<20); err != nil || p[0] != 42 || f.Size() != 4<<20 {
		t.Errorf("byte %d, size %d, error %v", p[0], f.Size(), err)
	}
	if f.Allocate(4<<20, 4096) == nil {
		t.Error("allocated beyond the end")
	}
}
