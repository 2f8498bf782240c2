package devicetest_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

func TestTwinIsADevice(t *testing.T) {
	devicetest.Suite(t, func(*testing.T) device.Device { return devicetest.New(1 << 20) })
}

// unit is one unit whose sectors are all of the given bytes, in turn.
func unit(sectors ...byte) []byte {
	p := device.Buffer(device.Unit)
	for i := range p {
		p[i] = sectors[i/devicetest.Sector%len(sectors)]
	}
	return p
}

// images are the first bytes of each sector of the first unit, in every image of a crash.
func images(t *testing.T, c *devicetest.Crash) map[string]bool {
	seen := map[string]bool{}
	all := c.Each(1<<10, rand.New(rand.NewPCG(1, 1)), func(image []byte) bool {
		var first []byte
		for off := 0; off < device.Unit; off += devicetest.Sector {
			first = append(first, image[off])
		}
		seen[string(first)] = true
		return true
	})
	if !all {
		t.Error("not every image was seen")
	}
	return seen
}

func TestAVolatileWriteMayBeLeftInAnyPart(t *testing.T) {
	d := devicetest.New(2 * device.Unit)
	if err := d.WriteAt(unit(1), 0); err != nil {
		t.Fatal(err)
	}
	if n := len(images(t, d.Crash(0))); n != 1 {
		t.Errorf("%d images before the write, want 1", n)
	}
	for event := 1; event <= 2; event++ { // under way, and answered
		if n := len(images(t, d.Crash(event))); n != 256 {
			t.Errorf("%d images at event %d, want 256", n, event)
		}
	}
}

func TestADurableWriteIsWholeOnceAnswered(t *testing.T) {
	d := devicetest.New(2 * device.Unit)
	if err := d.WriteDurable(unit(1), 0); err != nil {
		t.Fatal(err)
	}
	if n := len(images(t, d.Crash(1))); n != 256 {
		t.Errorf("%d images while it is under way, want 256", n)
	}
	if seen := images(t, d.Crash(2)); len(seen) != 1 || !seen[string(bytes.Repeat([]byte{1}, 8))] {
		t.Errorf("images %v once it is answered", seen)
	}
}

func TestADurableWriteLeavesOthersVolatile(t *testing.T) {
	d := devicetest.New(2 * device.Unit)
	if err := errors.Join(d.WriteAt(unit(1, 0, 0, 0, 0, 0, 0, 0), 0), d.WriteDurable(unit(2), device.Unit)); err != nil {
		t.Fatal(err)
	}
	if n := len(images(t, d.Crash(d.Events()))); n != 2 {
		t.Errorf("%d images, want 2", n)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := len(images(t, d.Crash(d.Events()-1))); n != 2 {
		t.Errorf("%d images while the sync is under way, want 2", n)
	}
	if n := len(images(t, d.Crash(d.Events()))); n != 1 {
		t.Errorf("%d images after the sync, want 1", n)
	}
}

func TestASectorWrittenTwiceMayBeOfAnyVersion(t *testing.T) {
	d := devicetest.New(2 * device.Unit)
	for _, v := range []byte{1, 2, 3} {
		if err := d.WriteAt(unit(v, 9, 9, 9, 9, 9, 9, 9), 0); err != nil {
			t.Fatal(err)
		}
	}
	firsts := map[byte]bool{}
	for image := range images(t, d.Crash(d.Events())) {
		firsts[image[0]] = true
	}
	if len(firsts) != 4 {
		t.Errorf("versions %v, want 0 to 3", firsts)
	}
}

func TestACrashOfMuchIsSampledWithTheTellingOnes(t *testing.T) {
	d := devicetest.New(16 * device.Unit)
	p := device.Buffer(16 * device.Unit)
	for i := range p {
		p[i] = 1
	}
	if err := d.WriteAt(p, 0); err != nil {
		t.Fatal(err)
	}
	n, none, whole := 0, false, false
	all := d.Crash(2).Each(600, rand.New(rand.NewPCG(1, 1)), func(image []byte) bool {
		n++
		none = none || bytes.Count(image, []byte{1}) == 0
		whole = whole || bytes.Equal(image, p)
		return true
	})
	if all || n != 600 || !none || !whole {
		t.Errorf("%d images, all %v, none %v, whole %v", n, all, none, whole)
	}
}

func TestFaultsOfATwin(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		fault       devicetest.Fault
		err         error
		first, next byte // what the two units hold afterwards
	}{
		"error":       {devicetest.Fault{Err: boom}, boom, 0, 0},
		"error after": {devicetest.Fault{Err: boom, Done: true}, boom, 1, 0},
		"lost":        {devicetest.Fault{Lost: true}, nil, 0, 0},
		"misdirected": {devicetest.Fault{Move: device.Unit}, nil, 0, 1},
	} {
		d := devicetest.New(2 * device.Unit)
		d.OnCall(devicetest.Nth(devicetest.WriteDurable, 1, c.fault))
		if err := d.WriteDurable(unit(1), 0); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if image := d.Image(); image[0] != c.first || image[device.Unit] != c.next {
			t.Errorf("%s: left %d %d", name, image[0], image[device.Unit])
		}
	}
}
