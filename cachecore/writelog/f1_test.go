package writelog_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// counter counts the durable writes of a twin.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) watch(d *devicetest.Twin) {
	d.OnCall(func(call devicetest.Call) devicetest.Fault {
		c.mu.Lock()
		defer c.mu.Unlock()
		if call.Kind == devicetest.WriteDurable {
			c.n++
		}
		return devicetest.Fault{}
	})
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestF1_AnIdleStreamSaysWithinTenMillisecondsThatItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := formatted(t, smallSize, smallSegment), &counter{}
		c.watch(d)
		l := open(t, d)
		put(t, l, record(1, 1, 100))
		time.Sleep(10 * time.Millisecond)
		if n := c.count(); n != 2 {
			t.Errorf("%d writes within 10 ms of a record, want 2", n)
		}
		time.Sleep(time.Hour)
		if n := c.count(); n != 2 {
			t.Errorf("%d writes after an idle hour, want 2", n)
		}
		for seq := cachecore.Seq(2); seq < 12; seq++ {
			put(t, l, record(1, seq, 100))
			time.Sleep(time.Millisecond)
		}
		if n := c.count(); n != 12 {
			t.Errorf("%d writes after ten records without a pause, want 12", n)
		}
		if err := l.Close(); err != nil || c.count() != 13 {
			t.Errorf("%d writes after Close, want 13; error %v", c.count(), err)
		}
	})
}

// TestF1_ABadLastFrameIsCutUnlessALaterOneSaysThatItWasDurable spoils the second of two frames: header, descriptors, data.
func TestF1_ABadLastFrameIsCutUnlessALaterOneSaysThatItWasDurable(t *testing.T) {
	synctest.Test(t, aBadLastFrameIsCutUnlessALaterOneSaysThatItWasDurable)
}

func aBadLastFrameIsCutUnlessALaterOneSaysThatItWasDurable(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	put(t, l, record(1, 1, 100))
	before := d.Image()
	put(t, l, record(1, 2, 5000))
	event := d.Events()
	hit := differing(before, d.Image())
	if err := l.Close(); err != nil { // which says that both are durable
		t.Fatal(err)
	}
	var unsaid []byte
	d.Crash(event).Each(1, nil, func(image []byte) bool { unsaid = slices.Clone(image); return false })
	for name, off := range map[string]int64{"header": hit[0] + 40, "descriptor": hit[0] + 150, "data": hit[1] + 5} {
		cut := devicetest.FromImage(unsaid)
		cut.Flip(off, 4)
		l := open(t, cut)
		if got := seqs(replay(t, l)[1]); len(l.Damage()) > 0 || !slices.Equal(got, []cachecore.Seq{1}) {
			t.Errorf("%s, nothing behind it: replayed %v, damage %v", name, got, l.Damage())
		}
		tail, torn := l.Torn()
		if name == "data" && (!torn || len(tail.Records) != 1 || tail.Records[0].Seq != 2) {
			t.Errorf("the frame that was cut: %+v, %v", tail, torn)
		}
		damaged := devicetest.FromImage(d.Image())
		damaged.Flip(off, 4)
		l = open(t, damaged)
		damage := l.Damage()
		if got := seqs(replay(t, l)[1]); len(damage) != 1 || damage[0].From != 2 || !slices.Equal(got, []cachecore.Seq{1}) {
			t.Errorf("%s, and a frame behind it: replayed %v, damage %v", name, got, damage)
		}
	}
}

// TestF1_AFrameThatCantBeReadIsNotCut: a power cut leaves sectors with old or new bytes, not ones that can't be read.
func TestF1_AFrameThatCantBeReadIsNotCut(t *testing.T) {
	synctest.Test(t, aFrameThatCantBeReadIsNotCut)
}

func aFrameThatCantBeReadIsNotCut(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	put(t, l, record(1, 1, 100))
	before := d.Image()
	put(t, l, record(1, 2, 100))
	hit := differing(before, d.Image())[0]
	image := d.Image()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d = devicetest.FromImage(image)
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Read && c.Off <= hit && hit < c.Off+c.Len {
			return devicetest.Fault{Err: errMedium}
		}
		return devicetest.Fault{}
	})
	if l, err := writelog.Open(d, writelog.Options{}); err == nil {
		t.Errorf("opened, replayed %v", seqs(replay(t, l)[1]))
	}
}
