package writelog_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

func TestProbeAndEraseAgreeWithOpen(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	if err := writelog.Probe(d); err != nil {
		t.Fatal(err)
	}
	if err := writelog.Erase(d); err != nil {
		t.Fatal(err)
	}
	_, opened := writelog.Open(d, writelog.Options{})
	for what, err := range map[string]error{"probe": writelog.Probe(d), "open": opened, "erase": writelog.Erase(d)} {
		if !errors.Is(err, writelog.ErrNotFormatted) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A power cut while a log is erased leaves it, or none: never one that is damaged.
func TestAnErasureThatIsCutShortLeavesTheLogOrNone(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	if err := writelog.Erase(d); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for event := range d.Events() + 1 {
		d.Crash(event).Each(64, random, func(image []byte) bool {
			if err := writelog.Probe(devicetest.FromImage(image)); err != nil && !errors.Is(err, writelog.ErrNotFormatted) {
				t.Errorf("after event %d: %v", event, err)
			}
			return true
		})
	}
}

// A log in the end of a device is not one of the whole device, though two of its superblocks lie where that one's would.
func TestALogInTheEndOfADeviceIsNotOneOfTheWhole(t *testing.T) {
	whole := devicetest.New(3 * smallSize)
	_, end, err := device.Split(whole, 2*smallSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := writelog.Format(end, writelog.FormatOptions{SegmentSize: smallSegment}); err != nil {
		t.Fatal(err)
	}
	if err := writelog.Probe(whole); !errors.Is(err, writelog.ErrNotFormatted) {
		t.Errorf("the whole: %v", err)
	}
	if err := writelog.Probe(end); err != nil {
		t.Errorf("the end: %v", err)
	}
}
