package writelog_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestB9_TheNewestSegmentIsNotEmptied when one long batch, which is dead in the end, has earned enough to go through all others. The oldest segment has shard 1
// with a high number of one life and the low one of another, so that only going through it shows that nothing of it is alive.
func TestB9_TheNewestSegmentIsNotEmptied(t *testing.T) { synctest.Test(t, newestIsNotEmptied) }

func newestIsNotEmptied(t *testing.T) {
	const segment = 512 * device.Unit
	d := formatted(t, 16*segment, segment)
	l := open(t, d)
	for seq := cachecore.Seq(1); seq <= 20; seq++ {
		put(t, l, record(1, seq, 600))
	}
	if err := l.Void(1, 2); err != nil {
		t.Fatal(err)
	}
	r := record(1, 5, 600)
	r.Epoch = 2
	put(t, l, r)
	if err := l.Trim(1, 5); err != nil {
		t.Fatal(err)
	}
	writing := make(chan struct{}, 1) // has something: nobody writes
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.WriteDurable {
			writing <- struct{}{}
			<-writing
		}
		return devicetest.Fault{}
	})
	for last := cachecore.Seq(0); last < 1000; last += 40 {
		writing <- struct{}{}
		end := appendAndTrim(t, l, last)
		<-writing
		if err := <-end; err != nil {
			t.Fatal(err)
		}
	}
	put(t, l, record(3, 1, 1000))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if all := replay(t, open(t, d)); len(all) != 1 || len(all[3]) != 1 {
		t.Errorf("replayed %v", all)
	}
}

// appendAndTrim has 40 records of shard 2 in the queue, and behind them a trim of all, whose outcome comes from what it returns.
func appendAndTrim(t *testing.T, l *writelog.Log, last cachecore.Seq) <-chan error {
	size := int(l.MaxData())
	data := [][]byte{make([]byte, size)}
	for range 40 {
		last++
		if err := l.Append(record(2, last, size), data, func(writelog.Position, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	end := make(chan error, 1)
	go func() { end <- l.Trim(2, last) }()
	synctest.Wait()
	return end
}

// TestAFrameTakesTheMemoryThatItCanFill, not that of a whole segment.
func TestAFrameTakesTheMemoryThatItCanFill(t *testing.T) {
	const segment = 64 << 20
	d := memory(t, device.Buffer(8*segment+4*device.Unit)) // most of which is never touched
	if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: segment}); err != nil {
		t.Fatal(err)
	}
	l := open(t, d)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	put(t, l, record(1, 1, 4096))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("a frame of two units takes %d bytes", n)
	}
}
