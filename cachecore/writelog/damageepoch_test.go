package writelog_test

import (
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestA2_DamageTellsTheHighestEpochThatItCanConcern: who knows a base above it has lost nothing. A later record of the shard says so; where there
// is none, it is not known, and a log that has found the damage earlier doesn't know it any more.
func TestA2_DamageTellsTheHighestEpochThatItCanConcern(t *testing.T) {
	synctest.Test(t, damageTellsTheHighestEpoch)
}

func damageTellsTheHighestEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		behind      cachecore.Epoch // of a record behind the missing one; 0: there is none
		want, later cachecore.Epoch
	}{"a record behind": {5, 5, 0}, "nothing behind": {0, 0, 0}} {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		put(t, l, inEpoch(record(1, 1, 100), 3))
		before := d.Image()
		put(t, l, inEpoch(record(1, 2, 100), 4))
		hit := differing(before, d.Image())
		if c.behind > 0 {
			put(t, l, inEpoch(record(1, 3, 100), c.behind))
		}
		put(t, l, record(2, 1, 100))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		d.Flip(hit[0]+99, 1)
		l = open(t, d)
		expectEpoch(t, name, l, c.want)
		lapsWith(t, l, func() {})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		expectEpoch(t, name+", found earlier", open(t, d), c.later)
	}
}

// TestA2_RottenDataTellTheirEpoch: their descriptor does.
func TestA2_RottenDataTellTheirEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		before := d.Image()
		put(t, l, inEpoch(record(1, 1, 6000), 4))
		rot(t, d, before)
		put(t, l, record(2, 1, 100))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		expectEpoch(t, "rotten data", open(t, d), 4)
	})
}

func rot(t *testing.T, d *devicetest.Twin, before []byte) {
	t.Helper()
	hit := differing(before, d.Image())
	d.Flip(hit[len(hit)-1]+99, 1)
}

func inEpoch(r writelog.Record, e cachecore.Epoch) writelog.Record {
	r.Epoch = e
	return r
}

func expectEpoch(t *testing.T, name string, l *writelog.Log, want cachecore.Epoch) {
	t.Helper()
	if damage := l.Damage(); len(damage) != 1 || damage[0].Shard != 1 || damage[0].Epoch != want {
		t.Errorf("%s: damage %+v, want epoch %d", name, damage, want)
	}
}
