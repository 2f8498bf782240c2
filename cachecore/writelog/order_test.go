package writelog_test

import (
	"errors"
	"slices"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

func TestB1_RecordsOutOfOrderAreRefused(t *testing.T) {
	l := open(t, formatted(t, smallSize, smallSegment))
	first := record(1, 10, 5) // a shard may begin anywhere
	first.Epoch = 3
	put(t, l, first)
	for name, c := range map[string]struct {
		epoch cachecore.Epoch
		seq   cachecore.Seq
	}{"again": {3, 10}, "a gap": {3, 12}, "back": {3, 9}, "an older epoch": {2, 11}} {
		r := record(1, c.seq, 5)
		r.Epoch = c.epoch
		if _, err := tryPut(l, r); !errors.Is(err, writelog.ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	next := record(1, 11, 5)
	next.Epoch = 4
	put(t, l, next)
	put(t, l, record(2, 1, 5))
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	l := open(t, formatted(t, smallSize, smallSegment))
	for name, change := range map[string]func(r *writelog.Record){
		"kind 0": func(r *writelog.Record) { r.Kind = 0 }, "a kind of the log's": func(r *writelog.Record) { r.Kind = 0x40 },
		"a flag of the log's": func(r *writelog.Record) { r.Flags = 1 << 9 }, "number 0": func(r *writelog.Record) { r.Seq = 0 },
		"a long object": func(r *writelog.Record) { r.Object = make([]byte, writelog.MaxObject+1) },
		"below 0":       func(r *writelog.Record) { r.Off = -1 }, "other length": func(r *writelog.Record) { r.Len++ },
		"data of an unmap": func(r *writelog.Record) { r.Kind = writelog.Unmap },
	} {
		r := record(1, 1, 100)
		change(&r)
		if err := l.Append(r, [][]byte{make([]byte, 100)}, nil); !errors.Is(err, writelog.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n := int(l.MaxData()) + 1
	if _, err := tryPut(l, record(1, 1, n)); !errors.Is(err, writelog.ErrInvalid) {
		t.Errorf("%d bytes: %v", n, err)
	}
	put(t, l, record(1, 1, n-1))
	if err := l.Replay(func(writelog.Record, writelog.Position) error { return nil }); err == nil {
		t.Error("replayed after an append")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tryPut(l, record(1, 2, 1)); !errors.Is(err, writelog.ErrClosed) {
		t.Errorf("append after Close: %v", err)
	}
}

// TestA2_VoidOfOlderEpochsLeavesTheNewer: entering write-through raises the base.
func TestA2_VoidOfOlderEpochsLeavesTheNewer(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	for seq := cachecore.Seq(1); seq <= 6; seq++ {
		r := record(1, seq, 200)
		r.Epoch = cachecore.Epoch((seq + 1) / 2) // 1 1 2 2 3 3
		put(t, l, r)
		put(t, l, record(2, seq, 200))
	}
	if err := errors.Join(l.Void(1, 3), l.Void(1, 2), l.Void(7, 7)); err != nil {
		t.Fatal(err)
	}
	if s, ok := l.State(1); !ok || s.Void != 3 || s.Last != 6 || s.Trimmed != 4 {
		t.Errorf("state %+v, %v", s, ok)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all := replay(t, open(t, d))
	if got := seqs(all[1]); !slices.Equal(got, []cachecore.Seq{5, 6}) || len(all[2]) != 6 {
		t.Errorf("replayed %v, and of the other shard %v", got, seqs(all[2]))
	}
}

// What begins anew still tells which epochs are void, by which a control plane that is older than the log is known (PROTOCOL A7).
func TestA7_AShardThatBeginsAnewKnowsWhatIsVoid(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	for epoch := range 2 {
		r := record(1, 1, 200)
		r.Epoch = cachecore.Epoch(4 - epoch)
		put(t, l, r)
		if epoch == 0 {
			if err := l.Void(1, 9); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if s, known := l.State(1); !known || s.Void != 9 || s.Epoch != 3 {
			t.Errorf("state %+v, %v", s, known)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, d)
	}
}

// TestA5_AVoidShardLearnsAnew: a returning member voids its log and is sent records of older epochs and numbers.
func TestA5_AVoidShardLearnsAnew(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	for seq := cachecore.Seq(50); seq <= 55; seq++ {
		r := record(1, seq, 200)
		r.Epoch = 4
		put(t, l, r)
	}
	if err := l.Trim(1, 52); err != nil {
		t.Fatal(err)
	}
	if err := l.Void(1, 9); err != nil {
		t.Fatal(err)
	}
	for seq := cachecore.Seq(40); seq <= 53; seq++ {
		r := record(1, seq, 100)
		r.Epoch = 3
		put(t, l, r)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, d)
		got := replay(t, l)[1]
		if len(got) != 14 || got[0].Seq != 40 || got[13].Seq != 53 || got[13].Len != 100 || len(l.Damage()) > 0 {
			t.Errorf("replayed %v, damage %v", seqs(got), l.Damage())
		}
	}
}

func TestShardsAreBounded(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	var shard writelog.Shard
	for {
		shard++
		_, err := tryPut(l, record(shard, 1, 10))
		if errors.Is(err, writelog.ErrShards) {
			break
		}
		if err != nil || shard > 10000 {
			t.Fatalf("shard %d: %v", shard, err)
		}
	}
	if shard < 20 {
		t.Errorf("%d shards at most", shard-1)
	}
	for seq := cachecore.Seq(2); seq < 300; seq++ { // with a full table the ring goes round all the same
		put(t, l, record(1, seq, 3000))
		if err := l.Trim(1, seq-1); err != nil {
			t.Fatal(err)
		}
	}
	for s := writelog.Shard(2); s < shard; s++ {
		if err := l.Trim(s, 1); err != nil {
			t.Fatal(err)
		}
	}
	for seq := cachecore.Seq(300); seq < 500; seq++ {
		put(t, l, record(1, seq, 3000))
		if err := l.Trim(1, seq-1); err != nil {
			t.Fatal(err)
		}
	}
	put(t, l, record(shard, 1, 10)) // the others have left the log
	if _, known := l.State(2); known {
		t.Error("a shard without a record in the ring is still known")
	}
}

func TestSpaceIsGivenBack(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	if used, capacity := l.Space(); used != 0 || capacity < smallSize/8 {
		t.Errorf("%d of %d used of a new log", used, capacity)
	}
	for seq := cachecore.Seq(1); ; seq++ {
		_, err := tryPut(l, record(1, seq, 2000))
		if errors.Is(err, writelog.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	used, capacity := l.Space()
	if used < capacity-2200 {
		t.Errorf("full with %d of %d used", used, capacity)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, d)
	if again, _ := l.Space(); again != used {
		t.Errorf("%d used after recovery, %d before", again, used)
	}
	s, _ := l.State(1)
	if err := l.Trim(1, s.Last); err != nil {
		t.Fatal(err)
	}
	if used, _ := l.Space(); used != 0 {
		t.Errorf("%d used after all has been trimmed", used)
	}
}
