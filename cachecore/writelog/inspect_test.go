package writelog_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

func TestInspectTellsAll(t *testing.T) {
	image, _ := history(t)
	d := devicetest.FromImage(image)
	var text strings.Builder
	if err := writelog.Inspect(d, &text); err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	for _, want := range []string{
		"superblock at unit 131: incarnation", "16 segments of 32768 bytes", "segment 1 at unit", `state shard 0000000000000001 "vol1"`,
		"write shard 0000000000000001 epoch 1 record 1 order 0: 300 bytes at 512 of 68, first, sum 00000001, data at 0/",
		"trim shard 0000000000000001 epoch 0 record 2", "void shard 0000000000000004 epoch 9", "barrier shard 0000000000000004 epoch 9 record 40",
		`shard 0000000000000001 "vol1": 4 records above 2 to 6, 1200 bytes, epoch 1`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestInspectTellsWhatIsWrong(t *testing.T) {
	image, _ := history(t)
	const missing, shard = "MISSING frame 4 can't be read", `shard 0000000000000002 "vol2": 2 records above 0 to 3, 2400 bytes, epoch 1, DAMAGED from 1 on`
	for name, c := range map[string]struct {
		off   int64
		words []string
	}{
		"superblock": {device.Unit + 40, []string{"superblock at unit 1: write log is damaged"}},
		"header":     {(2+8+3)*device.Unit + 44, []string{missing, shard}},
		"data":       {(2+8+3)*device.Unit + 500, []string{missing, shard}},
	} {
		d := devicetest.FromImage(image)
		d.Flip(c.off, 1)
		var text strings.Builder
		if err := writelog.Inspect(d, &text); !errors.Is(err, writelog.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range c.words {
			if !strings.Contains(text.String(), word) {
				t.Errorf("%s: no %q in\n%s", name, word, text.String())
			}
		}
	}
	d := devicetest.FromImage(image)
	if err := d.WriteDurable(formatted(t, smallSize, smallSegment).Image()[:device.Unit], 0); err != nil {
		t.Fatal(err)
	}
	if err := writelog.Inspect(d, io.Discard); !errors.Is(err, writelog.ErrDamaged) {
		t.Errorf("a superblock of another log: %v", err)
	}
	if err := writelog.Inspect(devicetest.New(smallSize), io.Discard); !errors.Is(err, writelog.ErrNotFormatted) {
		t.Errorf("zeros: %v", err)
	}
}

// TestInspectTellsThatRecordsOfUnknownShardsMayBeMissing loses two frames in a row, and with them all that the log knew of a shard. No other shard lacks
// anything.
func TestInspectTellsThatRecordsOfUnknownShardsMayBeMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		put(t, l, record(1, 1, 50))
		before := d.Image()
		put(t, l, record(2, 1, 50))
		put(t, l, record(1, 2, 50))
		hit := differing(before, d.Image())
		if err := l.Trim(1, 2); err != nil {
			t.Fatal(err)
		}
		put(t, l, record(1, 3, 50))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, unit := range hit {
			d.Flip(unit+99, 1)
		}
		if damage := open(t, d).Damage(); len(damage) != 1 || !damage[0].Any {
			t.Fatalf("damage %v", damage)
		}
		var text strings.Builder
		if err := writelog.Inspect(d, &text); !errors.Is(err, writelog.ErrDamaged) || !strings.Contains(text.String(), "DAMAGED any shard") {
			t.Errorf("inspect: %v\n%s", err, text.String())
		}
	})
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestInspectFailsWithItsWriter(t *testing.T) {
	image, _ := history(t)
	if err := writelog.Inspect(devicetest.FromImage(image), failing{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("inspect: %v", err)
	}
}
