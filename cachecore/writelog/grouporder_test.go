package writelog_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestB1_AGroupOfSeveralFramesIsAnsweredInTheOrderOfTheLog lets records come in while a write is under way, more than one frame takes, and fails a later
// frame: what was answered by then is the beginning of the log, and there after a restart.
func TestB1_AGroupOfSeveralFramesIsAnsweredInTheOrderOfTheLog(t *testing.T) {
	const records, size, good = 80, 30000, 3 // the writes that succeed: some records fit into a frame
	d := formatted(t, 32<<20, 0)
	l := open(t, d)
	arrived, release := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	writes := 0
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind != devicetest.WriteDurable {
			return devicetest.Fault{}
		}
		mu.Lock()
		writes++
		n := writes
		mu.Unlock()
		if n == 1 {
			close(arrived)
			<-release
		}
		if n > good {
			return devicetest.Fault{Err: errMedium}
		}
		return devicetest.Fault{}
	})
	var answered, failed []cachecore.Seq
	var wait sync.WaitGroup
	for seq := cachecore.Seq(1); seq <= records; seq++ {
		wait.Add(1)
		err := l.Append(record(1, seq, size), [][]byte{content(1, seq, size)}, func(_ writelog.Position, err error) {
			defer wait.Done()
			if err == nil {
				answered = append(answered, seq)
			} else if failed = append(failed, seq); !errors.Is(err, errMedium) {
				t.Errorf("record %d: %v", seq, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		<-arrived
	}
	close(release)
	wait.Wait()
	if all := slices.Concat(answered, failed); len(answered) <= good || len(failed) == 0 || !slices.IsSorted(all) {
		t.Errorf("answered %v, failed %v", answered, failed)
	}
	d.OnCall(nil)
	if got := seqs(replay(t, open(t, d))[1]); len(got) < len(answered) || !slices.Equal(got[:len(answered)], answered) {
		t.Errorf("answered %v, and after a restart there are %v", answered, got)
	}
}
