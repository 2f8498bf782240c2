package writelog_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

var errMedium = errors.New("medium error")

func TestADeviceThatFailsAWriteIsDead(t *testing.T) {
	for _, landed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { failsAWrite(t, landed) }) // else the frame that an idle log writes may come first
	}
}

func failsAWrite(t *testing.T, landed bool) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	put(t, l, record(1, 1, 100))
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind != devicetest.WriteDurable {
			return devicetest.Fault{}
		}
		once.Do(func() { close(arrived) })
		<-release
		return devicetest.Fault{Err: errMedium, Done: landed}
	})
	var order []cachecore.Seq
	var wait sync.WaitGroup
	for seq := cachecore.Seq(2); seq <= 5; seq++ {
		wait.Add(1)
		r := record(1, seq, 100)
		err := l.Append(r, [][]byte{content(1, seq, 100)}, func(_ writelog.Position, err error) {
			if !errors.Is(err, errMedium) || !errors.Is(err, writelog.ErrFailed) {
				t.Errorf("record %d: %v", seq, err)
			}
			order = append(order, seq)
			wait.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
		<-arrived
	}
	close(release)
	wait.Wait()
	<-l.Failed()
	if !slices.Equal(order, []cachecore.Seq{2, 3, 4, 5}) {
		t.Errorf("failed in the order %v", order)
	}
	d.OnCall(nil)
	for name, err := range map[string]error{
		"Append": l.Append(record(1, 6, 1), [][]byte{{1}}, nil), "Trim": l.Trim(1, 1), "Void": l.Void(1, 9), "Err": l.Err(), "Close": l.Close(),
	} {
		if !errors.Is(err, writelog.ErrFailed) {
			t.Errorf("%s after the failure: %v", name, err)
		}
	}
	want := []cachecore.Seq{1, 2}[:1]
	if landed {
		want = []cachecore.Seq{1, 2}
	}
	if got := seqs(replay(t, open(t, d))[1]); !slices.Equal(got, want) {
		t.Errorf("landed %v: replayed %v", landed, got)
	}
}

func TestAFailedTrimSaysSo(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	put(t, l, record(1, 1, 100))
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.WriteDurable {
			return devicetest.Fault{Err: errMedium}
		}
		return devicetest.Fault{}
	})
	if err := l.Trim(1, 1); !errors.Is(err, errMedium) {
		t.Errorf("trim: %v", err)
	}
}

func TestOpenNeedsASync(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	d.OnCall(devicetest.Nth(devicetest.Sync, 1, devicetest.Fault{Err: errMedium}))
	if _, err := writelog.Open(d, writelog.Options{}); !errors.Is(err, errMedium) {
		t.Errorf("open: %v", err)
	}
}

// TestWhatComesInDuringAWriteSharesTheNext is group commit.
func TestWhatComesInDuringAWriteSharesTheNext(t *testing.T) {
	synctest.Test(t, sharesTheNext) // in which no time passes, so that the stream isn't idle
}

func sharesTheNext(t *testing.T) {
	d := formatted(t, 64<<20, 0)
	l := open(t, d)
	var c counter
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.OnCall(func(call devicetest.Call) devicetest.Fault {
		if call.Kind == devicetest.WriteDurable {
			c.mu.Lock()
			c.n++
			c.mu.Unlock()
			once.Do(func() { close(arrived); <-release })
		}
		return devicetest.Fault{}
	})
	var got []cachecore.Seq
	var wait sync.WaitGroup
	for seq := cachecore.Seq(1); seq <= 200; seq++ {
		wait.Add(1)
		err := l.Append(record(1, seq, 512), [][]byte{content(1, seq, 512)}, func(_ writelog.Position, err error) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, seq)
			wait.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
		<-arrived
	}
	close(release)
	wait.Wait()
	if n := c.count(); n != 2 {
		t.Errorf("%d writes for 200 records, want 2", n)
	}
	if len(got) != 200 || !slices.IsSorted(got) {
		t.Errorf("answered in the order %v", got)
	}
}

// TestF_AFailedFlushIsNotTriedAgain: a drive that has failed a flush may have dropped what it covered, and the next one succeeds all the same.
func TestF_AFailedFlushIsNotTriedAgain(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	d.OnCall(devicetest.Nth(devicetest.WriteDurable, 1, devicetest.Fault{Err: errMedium}))
	if _, err := tryPut(l, record(1, 1, 100)); !errors.Is(err, errMedium) {
		t.Errorf("a record whose write failed: %v", err)
	}
	if _, err := tryPut(l, record(1, 2, 100)); !errors.Is(err, writelog.ErrFailed) {
		t.Errorf("the next one: %v", err)
	}
	if got := replay(t, open(t, d))[1]; len(got) > 0 {
		t.Errorf("replayed %v", seqs(got))
	}
}
