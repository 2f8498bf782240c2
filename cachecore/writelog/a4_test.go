package writelog_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestA4_AFormatThatIsCutShortLeavesTheOldLogOrNone cuts the power at every event of formatting over a log: with the same division, and with others.
func TestA4_AFormatThatIsCutShortLeavesTheOldLogOrNone(t *testing.T) {
	image, want := history(t)
	for _, segment := range []int64{smallSegment, 9 * device.Unit, 10 * device.Unit} {
		d := devicetest.FromImage(image)
		old, _ := open(t, d).ID()
		if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: segment}); err != nil {
			t.Fatal(err)
		}
		if id, _ := open(t, d).ID(); id != old {
			t.Errorf("the device's name changed from %v to %v", old, id)
		}
		kept, none, empty := 0, 0, 0
		for event := range d.Events() + 1 {
			d.Crash(event).Each(1<<10, rand.New(rand.NewPCG(1, 1)), func(image []byte) bool {
				l, err := writelog.Open(memory(t, image), writelog.Options{})
				switch {
				case errors.Is(err, writelog.ErrNotFormatted):
					none++
					return true
				case err != nil:
					t.Fatalf("event %d: %v", event, err)
				}
				switch got := replay(t, l); len(got) {
				case 0:
					empty++
				case len(want):
					kept++
				default:
					t.Fatalf("event %d: replayed %v", event, got)
				}
				if len(l.Damage()) > 0 {
					t.Fatalf("event %d: damage %v", event, l.Damage())
				}
				return true
			})
		}
		if kept == 0 || none == 0 || empty == 0 {
			t.Errorf("%d old logs, %d none, %d new", kept, none, empty)
		}
	}
}

// TestA4_NothingOfAnOlderIncarnationIsRead formats a full log again and again, and lets each get as far as any frame of the last.
func TestA4_NothingOfAnOlderIncarnationIsRead(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	seen := map[writelog.ID]bool{}
	for round := range 6 {
		l := open(t, d)
		_, incarnation := l.ID()
		if seen[incarnation] {
			t.Fatalf("incarnation %v twice", incarnation)
		}
		seen[incarnation] = true
		for seq := cachecore.Seq(1); seq <= cachecore.Seq(20-round); seq++ {
			put(t, l, record(writelog.Shard(round+1), seq, 1500))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, d)
		all := replay(t, l)
		if len(all) != 1 || len(all[writelog.Shard(round+1)]) != 20-round || len(l.Damage()) > 0 {
			t.Fatalf("round %d: replayed %v, damage %v", round, all, l.Damage())
		}
		if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: smallSegment}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestA4_TwoSuperblocksHaveToAgree(t *testing.T) {
	image, _ := history(t)
	end := int64(len(image))
	copies := []int64{0, device.Unit, end - 2*device.Unit, end - device.Unit}
	for bits := range 16 {
		d := devicetest.FromImage(image)
		left := 4
		for i, off := range copies {
			if bits&(1<<i) != 0 {
				d.Flip(off+40, 1)
				left--
			}
		}
		_, err := writelog.Open(d, writelog.Options{})
		if left >= 2 && err != nil || left < 2 && !errors.Is(err, writelog.ErrDamaged) {
			t.Errorf("%d superblocks left (%04b): %v", left, bits, err)
		}
	}
}

func TestOpenOfWhatIsNoLog(t *testing.T) {
	if _, err := writelog.Open(devicetest.New(smallSize), writelog.Options{}); !errors.Is(err, writelog.ErrNotFormatted) {
		t.Errorf("zeros: %v", err)
	}
	if err := writelog.Format(devicetest.New(32*device.Unit), writelog.FormatOptions{}); err == nil {
		t.Error("formatted a device that is too small")
	}
	if err := writelog.Format(devicetest.New(smallSize), writelog.FormatOptions{SegmentSize: 1000}); err == nil {
		t.Error("formatted with segments of parts of units")
	}
}

func TestALogOutlivesTheGrowthOfItsDevice(t *testing.T) {
	image, want := history(t)
	d := devicetest.FromImage(append(image, make([]byte, smallSize)...))
	d.Flip(40, 1) // one superblock at the beginning is left to tell where the others are
	if _, err := writelog.Open(d, writelog.Options{}); err != nil {
		t.Fatal(err)
	}
	if damage, err := damaged(d, want); err != nil || len(damage) > 0 {
		t.Errorf("damage %v, error %v", damage, err)
	}
	if _, err := writelog.Open(devicetest.FromImage(image[:smallSize/2]), writelog.Options{}); err == nil {
		t.Error("opened half a log")
	}
}
