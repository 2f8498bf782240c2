package writelog_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

// TestManyShardsAtOnce has shards come, write, read, trim and go, each from a goroutine of its own, in a ring that is short of room all the time: until many records had
// to be moved, as the one shard is trimmed late while others write.
func TestManyShardsAtOnce(t *testing.T) {
	d := memory(t, device.Buffer(smallSize))
	if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: smallSegment}); err != nil {
		t.Fatal(err)
	}
	const enough = 100
	var moved atomic.Int64
	l, err := writelog.Open(d, writelog.Options{Moved: func(writelog.Shard, cachecore.Seq, writelog.Position, writelog.Position) { moved.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for worker := range writelog.Shard(6) {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 9))
			for round := writelog.Shard(0); round < 10 || moved.Load() < enough && round < 1000; round++ {
				if err := life(l, 1000*(worker+1)+round, random); err != nil {
					t.Errorf("worker %d, round %d: %v", worker, round, err)
					return
				}
			}
		})
	}
	group.Wait()
	if used, _ := l.Space(); used != 0 || len(l.Damage()) > 0 {
		t.Errorf("%d bytes used, damage %v", used, l.Damage())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := moved.Load(); n < enough {
		t.Errorf("%d records were moved", n)
	}
	l = open(t, d)
	if all := replay(t, l); len(all) > 0 || len(l.Damage()) > 0 {
		t.Errorf("replayed %v, damage %v", all, l.Damage())
	}
}

// life is that of a shard: it keeps a few records back for long, and ends with none.
func life(l *writelog.Log, shard writelog.Shard, random *rand.Rand) error {
	for seq := cachecore.Seq(1); seq <= 60; seq++ {
		r := record(shard, seq, random.IntN(150)+1)
		at, err := tryPut(l, r)
		if err != nil {
			return err
		}
		p := make([]byte, r.Len)
		if err := l.ReadAt(p, at, 0); err != nil && !errors.Is(err, writelog.ErrGone) {
			return err
		}
		if random.IntN(12) == 0 && seq > 4 {
			if err := l.Trim(shard, seq-cachecore.Seq(random.IntN(int(seq)))); err != nil {
				return err
			}
		}
		l.State(shard)
	}
	return l.Void(shard, 99)
}
