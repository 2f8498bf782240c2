package writelog_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// TestF2_ATableBehindWhatIsLostTellsWhomItConcerns loses two frames in a row, so that none tells what the first had. The table of the next segment has
// every shard that had records by then: what it doesn't tell of, or tells a last record of that is there, lacks nothing.
func TestF2_ATableBehindWhatIsLostTellsWhomItConcerns(t *testing.T) {
	synctest.Test(t, aTableBehindWhatIsLostTellsWhomItConcerns)
}

func aTableBehindWhatIsLostTellsWhomItConcerns(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	for shard := writelog.Shard(1); shard <= 3; shard++ {
		put(t, l, record(shard, 1, 50))
	}
	before := d.Image()
	put(t, l, record(2, 2, 50))
	put(t, l, record(2, 3, 50))
	hit := differing(before, d.Image())
	for seq := cachecore.Seq(2); seq < 12; seq++ {
		put(t, l, record(1, seq, 2000))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.Flip(hit[0]+99, 1)
	d.Flip(hit[1]+99, 1)
	l = open(t, d)
	if damage := l.Damage(); len(damage) != 1 || damage[0].Any || damage[0].Shard != 2 || damage[0].From != 2 || damage[0].Epoch != 1 {
		t.Errorf("damage %+v", damage)
	}
	all := replay(t, l)
	if len(all[1]) != 11 || !slices.Equal(seqs(all[2]), []cachecore.Seq{1}) || len(all[3]) != 1 {
		t.Errorf("replayed %v, %v and %v", seqs(all[1]), seqs(all[2]), seqs(all[3]))
	}
}
