package writelog_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// laps lets the ring go round a few times, with records of shard 99 that are trimmed at once.
func laps(t *testing.T, l *writelog.Log) { lapsWith(t, l, func() {}) }

// lapsWith looks at the log after each record and each trim, or some of them.
func lapsWith(t *testing.T, l *writelog.Log, look func()) {
	t.Helper()
	s, _ := l.State(99)
	for seq := s.Last + 1; seq <= s.Last+400; seq++ {
		put(t, l, record(99, seq, 1000))
		if seq%thin == 0 {
			look()
		}
		if err := l.Trim(99, seq); err != nil {
			t.Fatal(err)
		}
		if seq%thin == 0 {
			look()
		}
	}
}

// staysDamaged says whether a recovery of what the device holds now finds those shards damaged, and no other.
func staysDamaged(t *testing.T, d *devicetest.Twin, shards ...writelog.Shard) func() {
	return func() {
		t.Helper()
		l, err := writelog.Open(memory(t, d.Image()), writelog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var damaged []writelog.Shard
		for _, damage := range l.Damage() {
			damaged = append(damaged, damage.Shard)
		}
		if !slices.Equal(damaged, shards) {
			t.Fatalf("damage %v, want of %v", l.Damage(), shards)
		}
	}
}

// TestF2_DamageOutlivesTheSegmentThatHadIt: it is over when the shard is void, and not before.
func TestF2_DamageOutlivesTheSegmentThatHadIt(t *testing.T) {
	synctest.Test(t, damageOutlivesTheSegmentThatHadIt)
}

func damageOutlivesTheSegmentThatHadIt(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	put(t, l, record(1, 1, 100))
	put(t, l, record(2, 1, 100))
	before := d.Image()
	put(t, l, record(2, 2, 6000))
	hit := differing(before, d.Image())
	put(t, l, record(1, 2, 100))
	put(t, l, record(2, 3, 100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.Flip(hit[0]+99, 1)
	for range 3 {
		l = open(t, d)
		all := replay(t, l)
		if damage := l.Damage(); len(damage) != 1 || damage[0].Shard != 2 || damage[0].From != 2 {
			t.Fatalf("damage %v", damage)
		}
		if got := seqs(all[2]); !slices.Equal(got, []cachecore.Seq{1}) || len(all[1]) != 2 {
			t.Fatalf("replayed %v, and %v of the whole shard", got, seqs(all[1]))
		}
		if _, err := tryPut(l, record(2, 4, 10)); !errors.Is(err, writelog.ErrDamaged) {
			t.Fatalf("append to a damaged shard: %v", err)
		}
		lapsWith(t, l, staysDamaged(t, d, 2))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l = open(t, d)
	if err := errors.Join(l.Void(2, 5), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = open(t, d)
	if damage := l.Damage(); len(damage) > 0 {
		t.Fatalf("the shard is void, and there is damage %v", damage)
	}
	r := record(2, 2, 700)
	r.Epoch = 4
	put(t, l, r)
	laps(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, d)
	if got := seqs(replay(t, l)[2]); !slices.Equal(got, []cachecore.Seq{2}) || len(l.Damage()) > 0 {
		t.Errorf("replayed %v, damage %v", got, l.Damage())
	}
}

// TestF2_DamageOutlivesAllOtherRecordsOfItsShard: shard 5 had no other, and those of shard 6 are trimmed.
func TestF2_DamageOutlivesAllOtherRecordsOfItsShard(t *testing.T) {
	synctest.Test(t, damageOutlivesAllOtherRecordsOfItsShard)
}

func damageOutlivesAllOtherRecordsOfItsShard(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	put(t, l, record(6, 1, 100))
	before := d.Image()
	put(t, l, record(5, 1, 100))
	put(t, l, record(99, 1, 100))
	put(t, l, record(6, 2, 100))
	hit := differing(before, d.Image())
	put(t, l, record(99, 2, 100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.Flip(hit[0]+99, 1)
	d.Flip(hit[2]+99, 1)
	l = open(t, d)
	if err := l.Trim(6, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		lapsWith(t, l, staysDamaged(t, d, 5, 6))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, d)
	}
	if err := errors.Join(l.Void(5, 2), l.Trim(6, 2)); err != nil {
		t.Fatal(err)
	}
	staysDamaged(t, d)()
}

// TestF2_WhatRotsBeforeItIsMovedIsReported spoils a record that lies in the way of the ring: its data, or the header of its frame.
func TestF2_WhatRotsBeforeItIsMovedIsReported(t *testing.T) {
	synctest.Test(t, whatRotsBeforeItIsMovedIsReported)
}

func whatRotsBeforeItIsMovedIsReported(t *testing.T) {
	for name, part := range map[string]int{"header": 0, "data": 1} {
		d := formatted(t, smallSize, smallSegment)
		told := 0
		l, err := writelog.Open(d, writelog.Options{Damaged: func(writelog.Damage) { told++ }})
		if err != nil {
			t.Fatal(err)
		}
		put(t, l, record(1, 1, 100))
		laps(t, l)
		put(t, l, record(2, 1, 100))
		laps(t, l)
		before := d.Image()
		put(t, l, record(2, 2, 6000))
		hit := differing(before, d.Image())
		put(t, l, record(2, 3, 100))
		d.Flip(hit[part]+99, 1)
		for range 2 {
			lapsWith(t, l, staysDamaged(t, d, 2))
			if damage := l.Damage(); len(damage) != 1 || damage[0].Shard != 2 || damage[0].From > 2 {
				t.Fatalf("%s: damage %v", name, damage)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, d)
			all := replay(t, l)
			if damage := l.Damage(); len(damage) != 1 || damage[0].Shard != 2 || len(all[1]) != 1 || len(all[2]) > 1 || told != 1 {
				t.Fatalf("%s: damage %v, told %d times, replayed %v and %v", name, damage, told, seqs(all[1]), seqs(all[2]))
			}
		}
	}
}

// TestF2_ACopyThatRotsIsNotMadeUpForByWhatItWasCopiedFrom: the original is in a segment that is about to be used again.
func TestF2_ACopyThatRotsIsNotMadeUpForByWhatItWasCopiedFrom(t *testing.T) {
	synctest.Test(t, rottenCopy)
}

func rottenCopy(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	var copied writelog.Position
	l, err := writelog.Open(d, writelog.Options{Moved: func(_ writelog.Shard, _ cachecore.Seq, _, to writelog.Position) { copied = to }})
	if err != nil {
		t.Fatal(err)
	}
	want := map[writelog.Shard][]held{1: {{Record: record(1, 1, 3000)}}}
	put(t, l, want[1][0].Record)
	for seq := cachecore.Seq(1); seq <= 400; seq++ {
		put(t, l, record(99, seq, 1000))
		if err := l.Trim(99, seq); err != nil {
			t.Fatal(err)
		}
		if copied == 0 {
			continue
		}
		rotten := devicetest.FromImage(d.Image())
		rotten.Flip(int64(copied>>12&(1<<32-1))*device.Unit+2000, 1)
		if damage, err := damaged(rotten, want); err != nil || len(damage) == 0 {
			t.Fatalf("record %d: damage %v, error %v", seq, damage, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// index is where records are: what a cache above the log would keep.
type index struct {
	mu sync.Mutex
	at map[cachecore.Seq]writelog.Position
}

func (x *index) put(seq cachecore.Seq, at writelog.Position) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.at[seq] = at
}

func (x *index) get(seq cachecore.Seq) writelog.Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at[seq]
}

// TestB9_ReadersOfWhatIsMoved read pinned records while the ring goes round under them: from where they are, or were until a moment ago.
func TestB9_ReadersOfWhatIsMoved(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	x := &index{at: map[cachecore.Seq]writelog.Position{}}
	l, err := writelog.Open(d, writelog.Options{Moved: func(s writelog.Shard, seq cachecore.Seq, from, to writelog.Position) {
		if s == 1 && x.get(seq) == from {
			x.put(seq, to)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	const pinned = 6
	for seq := cachecore.Seq(1); seq <= pinned; seq++ {
		x.put(seq, put(t, l, record(1, seq, 2500)))
	}
	first := x.get(1)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { readAll(t, l, x, pinned, stop) })
	}
	for range 4 {
		laps(t, l)
	}
	close(stop)
	group.Wait()
	if err := l.ReadAt(make([]byte, 10), first, 0); !errors.Is(err, writelog.ErrGone) {
		t.Errorf("read of a place that is used again: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// In a segment that takes more than one reading, frames end where a reading does, and lie across.
func TestB9_WhatIsMovedFromALongSegmentIsWhatItWas(t *testing.T) {
	for name, size := range map[string]int{"frames of one unit": 1000, "of three": 9000} {
		t.Run(name, func(t *testing.T) {
			const segment = 640 * device.Unit
			d := formatted(t, 16*segment, segment)
			x := &index{at: map[cachecore.Seq]writelog.Position{}}
			l, err := writelog.Open(d, writelog.Options{Moved: func(_ writelog.Shard, seq cachecore.Seq, _, to writelog.Position) { x.put(seq, to) }})
			if err != nil {
				t.Fatal(err)
			}
			places := map[cachecore.Seq]writelog.Position{}
			for seq := cachecore.Seq(1); seq <= 600; seq++ {
				places[seq] = put(t, l, record(1, seq, size))
				x.put(seq, places[seq])
			}
			churn(t, l, 2, 16*segment)
			for seq, from := range places {
				if x.get(seq) == from {
					t.Fatalf("record %d has not been moved", seq)
				}
				expectContent(t, l, record(1, seq, size), x.get(seq))
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// churn logs so many bytes of a shard's, and trims them.
func churn(t *testing.T, l *writelog.Log, shard writelog.Shard, bytes int64) {
	t.Helper()
	size := int(l.MaxData())
	for seq := cachecore.Seq(1); bytes > 0; seq++ {
		put(t, l, record(shard, seq, size))
		if err := l.Trim(shard, seq); err != nil {
			t.Fatal(err)
		}
		bytes -= int64(size)
	}
}

func readAll(t *testing.T, l *writelog.Log, x *index, pinned cachecore.Seq, stop chan struct{}) {
	p := make([]byte, 2500)
	for seq := cachecore.Seq(1); ; seq = seq%pinned + 1 {
		select {
		case <-stop:
			return
		default:
		}
		at := x.get(seq)
		err := l.ReadAt(p, at, 0)
		switch {
		case errors.Is(err, writelog.ErrGone) && x.get(seq) != at:
		case err != nil:
			t.Errorf("record %d at %v: %v", seq, at, err)
			return
		case string(p) != string(content(1, seq, len(p))):
			t.Errorf("record %d at %v: other bytes", seq, at)
			return
		}
	}
}
