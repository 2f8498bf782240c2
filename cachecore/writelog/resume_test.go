package writelog_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestF2_TheFirstFrameOfASessionNamesWhatTheOneBeforeHas: that was written by a session which was killed before it could say so itself. In the second case that
// frame has rotted already, so that nobody knows any more what it had.
func TestF2_TheFirstFrameOfASessionNamesWhatTheOneBeforeHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		before := d.Image()
		put(t, l, record(1, 1, 100))
		frame := differing(before, d.Image())[0]
		killed := devicetest.FromImage(d.Image())
		l = open(t, killed)
		put(t, l, record(2, 1, 100))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		killed.Flip(frame+99, 1)
		staysDamaged(t, killed, 1)()
	})
}

func TestF2_AfterAFrameThatCantBeReadAllIsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		before := d.Image()
		put(t, l, record(1, 1, 100))
		frame := differing(before, d.Image())[0]
		before = d.Image()
		put(t, l, record(2, 1, 6000))
		torn := differing(before, d.Image())
		killed := devicetest.FromImage(d.Image())
		killed.Flip(frame+99, 1)
		killed.Flip(torn[1]+99, 1)
		for range 2 {
			l = open(t, killed)
			if damage := l.Damage(); len(damage) == 0 || !damage[0].Any {
				t.Fatalf("damage %v, and nobody knows of what", damage)
			}
			put(t, l, record(2, 1, 100))
			if err := errors.Join(l.Trim(2, 1), l.Close()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestB9_ARestartDoesNotMoveAgainWhatHasBeenMoved: else there would be more copies after each, which all are moved on, until there is no room.
func TestB9_ARestartDoesNotMoveAgainWhatHasBeenMoved(t *testing.T) {
	const segment = 512 * device.Unit
	d := memory(t, device.Buffer(16*segment))
	if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: segment}); err != nil {
		t.Fatal(err)
	}
	moves := 0
	l := open(t, d)
	used, capacity := l.Space()
	for seq := cachecore.Seq(1); used < capacity*9/10; seq++ {
		put(t, l, record(1, seq, int(l.MaxData())))
		used, _ = l.Space()
	}
	for seq, rounds := cachecore.Seq(1), 0; rounds < 100; rounds++ {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		l, err = writelog.Open(d, writelog.Options{Moved: func(writelog.Shard, cachecore.Seq, writelog.Position, writelog.Position) { moves++ }})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			put(t, l, record(2, seq, 4096))
			if err := l.Trim(2, seq); err != nil {
				t.Fatal(err)
			}
			seq++
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Log(moves)
	if moves > 1000 { // of 120 records, while 3 of 15 segments were written
		t.Errorf("%d moves", moves)
	}
}

// TestAShardOfWhichNothingIsLeftTakesNoPlace: also not if it was trimmed once more when the last of it went.
func TestAShardOfWhichNothingIsLeftTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		put(t, l, record(1, 1, 100))
		for seq := cachecore.Seq(1); seq <= 10; seq++ {
			put(t, l, record(2, seq, 3000))
		}
		if err := l.Trim(2, 9); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		d.OnCall(func(c devicetest.Call) devicetest.Fault {
			if c.Kind == devicetest.WriteDurable {
				<-release
			}
			return devicetest.Fault{}
		})
		ends := make(chan error, 2)
		for range 2 {
			go func() { ends <- l.Trim(1, 1) }()
			synctest.Wait()
		}
		close(release)
		if err := errors.Join(<-ends, <-ends, l.Close()); err != nil {
			t.Fatal(err)
		}
		if s, ok := l.State(1); ok {
			t.Errorf("the log knows %v of it", s)
		}
	})
}
