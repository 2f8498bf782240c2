package writelog_test

import (
	"io"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

// FuzzOpen opens and inspects whatever there may be on a device: a log with a piece of it replaced. With reseal the checksums fit, so that the piece is
// believed.
func FuzzOpen(f *testing.F) {
	image, _ := history(f)
	const first = (2 + 8) * device.Unit // of segment 1
	f.Add(uint32(0), []byte("FBLGSUPR"), false)
	f.Add(uint32(first), []byte("FBLGFRAM"), true)
	f.Add(uint32(len(image)-1), image[:2*device.Unit], false)
	for _, at := range []uint32{12, 32, 40, 48, 56, 64, 72, 80, 88, 92} { // fields of the header
		f.Add(first+at, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, true)
		f.Add(first+device.Unit+at, []byte{1, 1, 1, 1, 1, 1, 1, 1}, true)
	}
	f.Fuzz(func(t *testing.T, off uint32, piece []byte, reseal bool) {
		work := device.Buffer(len(image))
		copy(work, image)
		copy(work[int(off)%len(work):], piece)
		if reseal {
			writelog.Reseal(work)
		}
		openAnything(t, work)
	})
}

// openAnything must come to an end, without a panic.
func openAnything(t *testing.T, image []byte) {
	d := memory(t, image)
	inspected := writelog.Inspect(d, io.Discard)
	l, err := writelog.Open(d, writelog.Options{})
	if err != nil {
		if inspected == nil {
			t.Fatalf("Inspect finds nothing wrong with what Open refuses: %v", err)
		}
		return
	}
	if len(l.Damage()) > 0 && inspected == nil {
		t.Fatalf("Inspect finds nothing wrong, and Open %v", l.Damage())
	}
	_ = l.Replay(func(r writelog.Record, at writelog.Position) error {
		if r.Kind == writelog.Write {
			return l.ReadAt(make([]byte, min(max(r.Len, 0), 1<<20)), at, 0)
		}
		return nil
	})
	_, _ = tryPut(l, record(1, 99, 100))
	l.Close()
}
