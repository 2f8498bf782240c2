package writelog_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// after opens a log on an image, appends a record of that content, and returns the image then.
func after(t *testing.T, image []byte, seq cachecore.Seq, fill byte, n int) []byte {
	t.Helper()
	d := devicetest.FromImage(image)
	l := open(t, d)
	data := make([]byte, n)
	for i := range data {
		data[i] = fill
	}
	done := make(chan error)
	r := record(1, seq, n)
	if err := l.Append(r, [][]byte{data}, func(_ writelog.Position, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return d.Image()
}

// with takes units of an image over from another one.
func with(image, other []byte, units ...int64) []byte {
	image = slices.Clone(image)
	for _, off := range units {
		copy(image[off:off+device.Unit], other[off:off+device.Unit])
	}
	return image
}

// TestF1_TwoTornFramesDontMakeAWholeOne: of the first the end has landed, of the second, in the same place, the beginning.
func TestF1_TwoTornFramesDontMakeAWholeOne(t *testing.T) {
	synctest.Test(t, twoTornFramesDontMakeAWholeOne)
}

func twoTornFramesDontMakeAWholeOne(t *testing.T) {
	base := after(t, formatted(t, smallSize, smallSegment).Image(), 1, 1, 100)
	first := after(t, base, 2, 'a', 5000)
	units := differing(base, first)
	if len(units) != 2 {
		t.Fatalf("a frame of the units %v", units)
	}
	torn := with(base, first, units[1])
	twice := with(torn, after(t, torn, 2, 'b', 5000), units[0])
	l := open(t, devicetest.FromImage(twice))
	if got := seqs(replay(t, l)[1]); !slices.Equal(got, []cachecore.Seq{1}) || len(l.Damage()) > 0 {
		t.Errorf("replayed %v, damage %v", got, l.Damage())
	}
}

// TestF1_ATornFrameDoesNotStayWhereTheLogHasGoneOn: the frame after it doesn't fit where it is, so that it is written to the next segment.
func TestF1_ATornFrameDoesNotStayWhereTheLogHasGoneOn(t *testing.T) {
	synctest.Test(t, aTornFrameDoesNotStayWhereTheLogHasGoneOn)
}

func aTornFrameDoesNotStayWhereTheLogHasGoneOn(t *testing.T) {
	const segment = 64 * device.Unit
	base := formatted(t, (4+16*64)*device.Unit, segment).Image()
	d := devicetest.FromImage(base)
	l := open(t, d)
	seq := cachecore.Seq(0)
	for range 61 { // behind the first frame: two units are left
		seq++
		put(t, l, record(1, seq, 100))
	}
	base = d.Image() // without the frame that Close writes
	seq++
	whole := after(t, base, seq, 'a', 6000)
	units := differing(base, whole)
	torn := with(base, whole, units[0])
	if _, is := open(t, devicetest.FromImage(torn)).Torn(); !is {
		t.Fatal("no torn frame")
	}
	next := after(t, torn, seq, 'b', 12000)
	for name, image := range map[string][]byte{"as it was": next, "and the torn one is whole again": with(next, whole, units...)} {
		l = open(t, devicetest.FromImage(image))
		got := replay(t, l)[1]
		whole := len(got) == int(seq) && got[seq-1].Len == 12000
		if name == "as it was" && (!whole || len(l.Damage()) > 0) {
			t.Errorf("replayed %v, damage %v", seqs(got), l.Damage())
		}
		if !whole && len(l.Damage()) == 0 {
			t.Errorf("%s: replayed %v and nothing said", name, seqs(got))
		}
	}
}

// TestF2_AFrameThatWasReplacedIsNotTakenForTheOneThatWasWritten: a mirror gives back a frame that was once written in this place, whole, and not durable.
func TestF2_AFrameThatWasReplacedIsNotTakenForTheOneThatWasWritten(t *testing.T) {
	synctest.Test(t, aFrameThatWasReplacedIsNotTakenForTheOneThatWasWritten)
}

func aFrameThatWasReplacedIsNotTakenForTheOneThatWasWritten(t *testing.T) {
	base := after(t, formatted(t, smallSize, smallSegment).Image(), 1, 1, 100)
	other := after(t, base, 2, 'a', 100)
	units := differing(base, other)
	d := devicetest.FromImage(after(t, base, 2, 'b', 100))
	l := open(t, d)
	put(t, l, record(1, 3, 100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, devicetest.FromImage(with(d.Image(), other, units...)))
	if got := seqs(replay(t, l)[1]); len(l.Damage()) == 0 || len(got) > 1 {
		t.Errorf("replayed %v, damage %v", got, l.Damage())
	}
}
