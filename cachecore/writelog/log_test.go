package writelog_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

func TestWhatWasAppendedIsReplayed(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	var want []writelog.Record
	for seq := cachecore.Seq(1); seq <= 5; seq++ {
		for shard := writelog.Shard(7); shard <= 8; shard++ {
			r := record(shard, seq, int(seq)*700)
			if seq == 3 {
				r = writelog.Record{Shard: shard, Epoch: 1, Seq: seq, Kind: writelog.Unmap, Off: 9, Len: 1 << 40, Flags: writelog.FlagApplied}
			}
			expectContent(t, l, r, put(t, l, r))
			r.Name = ""
			want = append(want, r)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, d)
	if n := l.Damage(); len(n) > 0 {
		t.Fatal(n)
	}
	for range 2 {
		var got []writelog.Record
		err := l.Replay(func(r writelog.Record, at writelog.Position) error {
			expectContent(t, l, r, at)
			got = append(got, r)
			return nil
		})
		if err != nil || !slices.EqualFunc(got, want, sameRecord) {
			t.Fatalf("replayed %v, want %v, error %v", got, want, err)
		}
	}
}

func sameRecord(a, b writelog.Record) bool {
	return a.Shard == b.Shard && a.Epoch == b.Epoch && a.Seq == b.Seq && a.Kind == b.Kind && a.Flags == b.Flags &&
		string(a.Object) == string(b.Object) && a.Off == b.Off && a.Len == b.Len && a.Sum == b.Sum
}

func TestTheRingGoesRoundManyTimes(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	for seq := cachecore.Seq(1); seq <= 1500; seq++ {
		at := put(t, l, record(1, seq, 1000))
		expectContent(t, l, record(1, seq, 1000), at)
		if seq%7 == 0 {
			if err := l.Trim(1, seq-3); err != nil {
				t.Fatal(err)
			}
		}
		if seq%100 == 0 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, d)
			if got := seqs(replay(t, l)[1]); len(l.Damage()) > 0 || got[len(got)-1] != seq {
				t.Fatalf("after record %d: replayed %v, damage %v", seq, got, l.Damage())
			}
		}
	}
}

func TestB9_AnOldRecordPinsNothing(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	moved := map[writelog.Position]writelog.Position{}
	l, err := writelog.Open(d, writelog.Options{Moved: func(s writelog.Shard, seq cachecore.Seq, from, to writelog.Position) {
		if s != 1 {
			t.Errorf("record %d of shard %d was moved", seq, s)
		}
		moved[from] = to
	}})
	if err != nil {
		t.Fatal(err)
	}
	old := []writelog.Record{record(1, 1, 3000), record(1, 2, 500)}
	places := []writelog.Position{put(t, l, old[0]), put(t, l, old[1])}
	for seq := cachecore.Seq(1); seq <= 1000; seq++ {
		put(t, l, record(2, seq, 1000))
		if err := l.Trim(2, seq); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i, at := range places {
		laps := 0
		for moved[at] != 0 {
			at, laps = moved[at], laps+1
		}
		if laps < 3 {
			t.Errorf("record %d was moved %d times", i+1, laps)
		}
		expectContent(t, l, old[i], at)
	}
	l = open(t, d)
	all := replay(t, l)
	if got := seqs(all[1]); !slices.Equal(got, []cachecore.Seq{1, 2}) || len(all[2]) > 0 || len(l.Damage()) > 0 {
		t.Fatalf("replayed %v and %v, damage %v", got, seqs(all[2]), l.Damage())
	}
	for i, h := range all[1] {
		expectContent(t, l, old[i], h.at)
	}
}

// TestRecordsOfAnyLengthAreReadInAnyPart in a log whose records may be long.
func TestRecordsOfAnyLengthAreReadInAnyPart(t *testing.T) {
	l := open(t, formatted(t, 96<<20, 8<<20))
	if l.MaxData() < 500<<10 {
		t.Fatalf("records of %d bytes at most", l.MaxData())
	}
	random := rand.New(rand.NewPCG(3, 3))
	for i, n := range []int64{1, 4091, 4092, 4093, 100_000, 300_000, l.MaxData() - 1, l.MaxData()} {
		r := record(1, cachecore.Seq(i+1), int(n))
		at := put(t, l, r)
		want := content(1, r.Seq, int(n))
		for range 20 {
			skip := random.Int64N(n)
			p := make([]byte, random.Int64N(n-skip)+1)
			if err := l.ReadAt(p, at, skip); err != nil || !bytes.Equal(p, want[skip:skip+int64(len(p))]) {
				t.Fatalf("%d bytes of %d from %d on: error %v", len(p), n, skip, err)
			}
		}
	}
	if err := l.ReadAt(make([]byte, 8<<20), put(t, l, record(1, 9, 100)), 0); err == nil {
		t.Error("read beyond what has been written")
	}
}

func TestOpenWritesNothing(t *testing.T) {
	image, want := history(t)
	d := devicetest.FromImage(image)
	l := open(t, d)
	if got := replay(t, l); len(got) != len(want) {
		t.Errorf("replayed %v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.Image(), image) {
		t.Error("opening and closing a log has changed it")
	}
}
