package writelog_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// later appends a record that may wait for a Kick.
func later(t testing.TB, l *writelog.Log, r writelog.Record, done func(writelog.Position, error)) {
	t.Helper()
	if err := l.AppendLater(r, [][]byte{content(r.Shard, r.Seq, int(r.Len))}, done); err != nil {
		t.Fatal(err)
	}
}

func immediate(t testing.TB, size int64) *writelog.Log {
	t.Helper()
	d := memory(t, formatted(t, size, 0).Image())
	l, err := writelog.Open(d, writelog.Options{Immediate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestAKickWritesWhatHasComeInOneFrameWhereTheDeviceAnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := immediate(t, 4<<20)
		put(t, l, record(1, 1, 100))
		synctest.Wait() // the log's goroutine, which the first record begins, sleeps
		var told []cachecore.Seq
		for seq := cachecore.Seq(2); seq <= 20; seq++ {
			later(t, l, record(1, seq, 100), func(at writelog.Position, err error) {
				if err != nil {
					t.Error(err)
				}
				expectContent(t, l, record(1, seq, 100), at)
				told = append(told, seq)
			})
		}
		if len(told) > 0 {
			t.Fatalf("%v are told before anybody has kicked", told)
		}
		l.Kick() // in here: nobody else appends to told
		if len(told) != 19 || !slices.IsSorted(told) {
			t.Errorf("told of %v", told)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAKickWakesTheLogWhereTheDeviceTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, formatted(t, smallSize, smallSegment))
		put(t, l, record(1, 1, 100))
		synctest.Wait()
		told := false
		later(t, l, record(1, 2, 100), func(writelog.Position, error) { told = true })
		synctest.Wait()
		if told {
			t.Error("written without a kick")
		}
		l.Kick()
		synctest.Wait()
		if !told {
			t.Error("a kick has nothing written")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// What is appended by who is told, and kicked there, is written: by the Kick under way, however deep that goes, or by the log's goroutine.
func TestWhoIsToldMayAppendAndKick(t *testing.T) {
	l := immediate(t, 4<<20)
	const last = 100
	end := make(chan struct{})
	var next func(seq cachecore.Seq)
	next = func(seq cachecore.Seq) {
		later(t, l, record(1, seq, 100), func(writelog.Position, error) {
			if seq == last {
				close(end)
				return
			}
			next(seq + 1)
			l.Kick()
		})
	}
	next(1)
	l.Kick()
	<-end
}

// Whatever comes together, all are told once and in order, and nothing waits for ever: shards append in both ways, kick, trim and read beside one another,
// in a ring that goes round.
func TestAppendsOfBothKindsAreAllTold(t *testing.T) {
	for name, options := range map[string]writelog.Options{"at once": {Immediate: true}, "in its time": {}} {
		t.Run(name, func(t *testing.T) {
			l, err := writelog.Open(memory(t, formatted(t, 2<<20, 0).Image()), options)
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for shard := writelog.Shard(1); shard <= 4; shard++ {
				group.Go(func() { appendBoth(t, l, shard) })
			}
			group.Wait()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func appendBoth(t *testing.T, l *writelog.Log, shard writelog.Shard) {
	const records, ahead = 2000, 8
	random := rand.New(rand.NewPCG(uint64(shard), 1))
	told := make(chan cachecore.Seq, ahead)
	for seq, upto := cachecore.Seq(1), cachecore.Seq(0); upto < records; {
		if seq <= records && seq-upto <= ahead {
			call := l.Append
			if random.IntN(3) > 0 {
				call = l.AppendLater
			}
			r := record(shard, seq, 1+random.IntN(5000))
			err := call(r, [][]byte{content(r.Shard, r.Seq, int(r.Len))}, func(at writelog.Position, err error) {
				if err != nil {
					t.Error(err)
				}
				told <- r.Seq
			})
			if err != nil {
				t.Errorf("record %d of shard %d: %v", seq, shard, err)
				return
			}
			seq++
			continue
		}
		l.Kick()
		if got := <-told; got != upto+1 {
			t.Errorf("shard %d: %d is told after %d", shard, got, upto)
		}
		if upto++; upto%16 == 0 {
			if err := l.Trim(shard, upto); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAKickOfAClosedLogDoesNothing(t *testing.T) {
	l := immediate(t, 4<<20)
	put(t, l, record(1, 1, 100))
	l.Kick() // nothing
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Kick()
	if err := l.AppendLater(record(1, 2, 100), [][]byte{make([]byte, 100)}, func(writelog.Position, error) { t.Error("told") }); err == nil {
		t.Error("a closed log takes records")
	}
}
