package device_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// loop makes a block device of a file, where the machine lets us.
func loop(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := exec.Command("losetup", "--find", "--show", "--direct-io=on", path).Output()
	if err != nil {
		t.Skipf("no loop devices here: %v", err)
	}
	dev := strings.TrimSpace(string(name))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", dev).CombinedOutput(); err != nil {
			t.Errorf("detach %s: %v, %s", dev, err, out)
		}
	})
	return dev
}

func TestBlockDeviceIsADevice(t *testing.T) {
	dev := loop(t)
	devicetest.Suite(t, func(t *testing.T) device.Device {
		f := open(t, device.Options{Path: dev, Size: 2 << 20})
		if !f.Direct() {
			t.Error("a block device without direct I/O")
		}
		return f
	})
	if f, err := device.Open(device.Options{Path: dev, Size: 8 << 20}); err == nil {
		f.Close()
		t.Error("opened more than there is of a block device")
	}
}
