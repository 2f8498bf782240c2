package writelog_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// history is a log with a bit of everything, closed, and what it holds.
func history(t testing.TB) (image []byte, want map[writelog.Shard][]held) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	for seq := cachecore.Seq(1); seq <= 6; seq++ {
		put(t, l, record(1, seq, 300))
		if seq%2 == 0 {
			put(t, l, record(2, seq/2, 1200))
		}
		if seq == 4 {
			if err := l.Trim(1, 2); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, d)
		}
	}
	put(t, l, record(3, 1, 4500))
	put(t, l, record(4, 1, 10))
	if err := l.Void(4, 9); err != nil {
		t.Fatal(err)
	}
	put(t, l, writelog.Record{Shard: 4, Epoch: 9, Seq: 40, Kind: writelog.Barrier})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, d)
	want = replay(t, l)
	for shard, n := range map[writelog.Shard]int{1: 4, 2: 3, 3: 1, 4: 1} {
		if len(want[shard]) != n {
			t.Fatalf("shard %d has records %v", shard, seqs(want[shard]))
		}
	}
	return d.Image(), want
}

// damaged opens a log that may be, and returns an error if anything is served that isn't right, or missing and not reported.
func damaged(d device.Device, want map[writelog.Shard][]held) (damage []writelog.Damage, err error) {
	l, err := writelog.Open(d, writelog.Options{})
	if err != nil {
		return nil, nil // it said so
	}
	defer l.Close()
	damage = l.Damage()
	got := map[writelog.Shard][]held{}
	err = l.Replay(func(r writelog.Record, at writelog.Position) error {
		got[r.Shard] = append(got[r.Shard], held{r, at})
		if r.Kind != writelog.Write {
			return nil
		}
		p := make([]byte, r.Len)
		if err := l.ReadAt(p, at, 0); err != nil {
			return fmt.Errorf("shard %d record %d is replayed and can't be read: %w", r.Shard, r.Seq, err)
		}
		if string(p) != string(content(r.Shard, r.Seq, len(p))) {
			return fmt.Errorf("shard %d record %d: other bytes", r.Shard, r.Seq)
		}
		return nil
	})
	if err != nil {
		return damage, err
	}
	for shard := range got {
		if want[shard] == nil {
			return damage, fmt.Errorf("shard %d is replayed, which was never written", shard)
		}
	}
	for shard, records := range want {
		if err := sameOrReported(shard, got[shard], records, damage); err != nil {
			return damage, err
		}
	}
	return damage, nil
}

// sameOrReported lets what is replayed of a shard be other than it should only if its damage is reported.
func sameOrReported(shard writelog.Shard, got, want []held, damage []writelog.Damage) error {
	reported := slices.ContainsFunc(damage, func(d writelog.Damage) bool { return !d.Any && d.Shard == shard })
	anyone := slices.ContainsFunc(damage, func(d writelog.Damage) bool { return d.Any })
	same := slices.EqualFunc(got, want, func(a, b held) bool { return sameRecord(a.Record, b.Record) })
	if !same && !reported && (!anyone || len(got) > 0) {
		return fmt.Errorf("shard %d: replayed %v, want %v, damage %v", shard, seqs(got), seqs(want), damage)
	}
	return nil
}

// TestF2_NoFlippedByteIsServedOrPassedOver flips bytes of a log in turn: all of them with FOREBAY_SOAK, else every third.
func TestF2_NoFlippedByteIsServedOrPassedOver(t *testing.T) {
	image, want := history(t)
	clean := append(device.Buffer(0), image...)
	work := device.Buffer(len(image))
	copy(work, image)
	d := memory(t, work)
	reported, bytes := 0, 0
	for off, b := range clean {
		if b == 0 && off%31 != 0 { // most of it was never written
			continue
		}
		if off%(3*thin) > 0 && os.Getenv("FOREBAY_SOAK") == "" {
			continue
		}
		bytes++
		work[off] ^= byte(1 << (off % 8))
		damage, err := damaged(d, want)
		if err != nil {
			t.Fatalf("byte %d: %v", off, err)
		}
		if len(damage) > 0 {
			reported++
		}
		work[off] = b
	}
	if reported < bytes/4 {
		t.Errorf("damage reported for %d of %d bytes", reported, bytes)
	}
}

// TestF2_LostAndMisdirectedWritesAreFound has the drive lose or misplace each write of a log in turn.
func TestF2_LostAndMisdirectedWritesAreFound(t *testing.T) {
	synctest.Test(t, lostAndMisdirectedWritesAreFound)
}

func lostAndMisdirectedWritesAreFound(t *testing.T) {
	for name, fault := range map[string]devicetest.Fault{
		"lost": {Lost: true}, "a unit too far": {Move: device.Unit}, "a unit short": {Move: -device.Unit},
		"two units short": {Move: -2 * device.Unit}, "a segment too far": {Move: smallSegment},
	} {
		for n := 1; n <= 12; n++ {
			d := formatted(t, smallSize, smallSegment)
			d.OnCall(devicetest.Nth(devicetest.WriteDurable, n, fault))
			l := open(t, d)
			want := map[writelog.Shard][]held{}
			for seq := cachecore.Seq(1); seq <= 6; seq++ {
				for shard := writelog.Shard(1); shard <= 2; shard++ {
					r := record(shard, seq, int(shard)*2700)
					put(t, l, r)
					want[shard] = append(want[shard], held{Record: r})
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			d.OnCall(nil)
			if damage, err := damaged(d, want); err != nil || len(damage) == 0 {
				t.Errorf("write %d is %s: damage %v, error %v", n, name, damage, err)
			}
		}
	}
}

// TestF2_AStaleLapIsNotTakenForTheNewest loses a write whose place holds a frame of the lap before.
func TestF2_AStaleLapIsNotTakenForTheNewest(t *testing.T) {
	synctest.Test(t, aStaleLapIsNotTakenForTheNewest)
}

func aStaleLapIsNotTakenForTheNewest(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	seq := cachecore.Seq(0)
	for range 300 {
		seq++
		put(t, l, record(1, seq, 1000))
		if err := l.Trim(1, seq-1); err != nil {
			t.Fatal(err)
		}
	}
	lost := false
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		defer func() { lost = true }()
		return devicetest.Fault{Lost: !lost && c.Kind == devicetest.WriteDurable}
	})
	seq++
	r := record(1, seq, 1000)
	at := put(t, l, r)
	if err := l.ReadAt(make([]byte, 1000), at, 0); err == nil {
		t.Error("read what was never written")
	}
	put(t, l, record(1, seq+1, 1000))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, d)
	if damage := l.Damage(); len(damage) != 1 || damage[0].Shard != 1 || damage[0].From != seq {
		t.Errorf("damage %v, want record %d", damage, seq)
	}
	if got := seqs(replay(t, l)[1]); !slices.Equal(got, []cachecore.Seq{seq - 1}) {
		t.Errorf("replayed %v", got)
	}
}

// unitsOf finds the units in which images differ.
func differing(a, b []byte) (units []int64) {
	for off := 0; off < len(a); off += device.Unit {
		if string(a[off:off+device.Unit]) != string(b[off:off+device.Unit]) {
			units = append(units, int64(off))
		}
	}
	return units
}

// TestF2_DamageConcernsTheShardsWhoseRecordsItHolds makes the frame of one record unreadable, its header or its data.
func TestF2_DamageConcernsTheShardsWhoseRecordsItHolds(t *testing.T) {
	synctest.Test(t, damageConcernsTheShardsWhoseRecordsItHolds)
}

func damageConcernsTheShardsWhoseRecordsItHolds(t *testing.T) {
	for name, part := range map[string]int{"header": 0, "data": 1} {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		put(t, l, record(1, 1, 100))
		put(t, l, record(2, 1, 100))
		put(t, l, record(3, 1, 100))
		before := d.Image()
		put(t, l, record(2, 2, 6000))
		hit := differing(before, d.Image())
		put(t, l, record(1, 2, 100))
		put(t, l, record(2, 3, 100))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		d.Flip(hit[part]+99, 1)
		l = open(t, d)
		if damage := l.Damage(); len(damage) != 1 || damage[0].Any || damage[0].Shard != 2 || damage[0].From != 2 || damage[0].Name != "vol2" {
			t.Errorf("%s: damage %v", name, damage)
		}
		all := replay(t, l)
		if len(all[1]) != 2 || len(all[2]) != 1 || len(all[3]) != 1 {
			t.Errorf("%s: replayed %v, %v and %v", name, seqs(all[1]), seqs(all[2]), seqs(all[3]))
		}
	}
}

// TestF2_ALostVoidPutsTheWholeShardInDoubt: what it declared dead must not come to life. The table of the next segment, if there is one, makes up for it.
func TestF2_ALostVoidPutsTheWholeShardInDoubt(t *testing.T) {
	synctest.Test(t, aLostVoidPutsTheWholeShardInDoubt)
}

func aLostVoidPutsTheWholeShardInDoubt(t *testing.T) {
	for units, doubt := range map[int64]bool{64: true, 8: false} {
		l := withoutVoid(t, units)
		all := replay(t, l)
		damage := l.Damage()
		if doubt && (len(damage) != 1 || damage[0].Shard != 1 || damage[0].From != 1 || len(all[1]) > 0) {
			t.Errorf("damage %v, replayed %v", damage, seqs(all[1]))
		}
		if !doubt && (len(damage) > 0 || !slices.Equal(seqs(all[1]), []cachecore.Seq{3, 4})) {
			t.Errorf("with a table behind it: damage %v, replayed %v", damage, seqs(all[1]))
		}
		if len(all[2]) != 2 {
			t.Errorf("replayed %v of the other shard", seqs(all[2]))
		}
	}
}

// withoutVoid is a log with segments of so many units that has lost the frame with a void of shard 1.
func withoutVoid(t *testing.T, units int64) *writelog.Log {
	d := formatted(t, (4+16*units)*device.Unit, units*device.Unit)
	l := open(t, d)
	for seq := cachecore.Seq(1); seq <= 4; seq++ {
		r := record(1, seq, 100)
		r.Epoch = cachecore.Epoch(seq)
		put(t, l, r)
	}
	put(t, l, record(2, 1, 100))
	before := d.Image()
	if err := l.Void(1, 3); err != nil {
		t.Fatal(err)
	}
	hit := differing(before, d.Image())
	put(t, l, record(2, 2, 100))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.Flip(hit[0]+99, 1)
	return open(t, d)
}

// TestF2_WhereTheShardsCantBeKnownAllAreInDoubtThatDontProveToBeWhole loses two frames in a row.
func TestF2_WhereTheShardsCantBeKnownAllAreInDoubtThatDontProveToBeWhole(t *testing.T) {
	synctest.Test(t, whereTheShardsCantBeKnownAllAreInDoubtThatDontProveToBeWhole)
}

func whereTheShardsCantBeKnownAllAreInDoubtThatDontProveToBeWhole(t *testing.T) {
	d := formatted(t, (4+16*64)*device.Unit, 64*device.Unit)
	l := open(t, d)
	for shard := writelog.Shard(1); shard <= 4; shard++ {
		put(t, l, record(shard, 1, 50))
	}
	before := d.Image()
	put(t, l, record(2, 2, 50))
	put(t, l, record(4, 2, 50))
	hit := differing(before, d.Image())
	put(t, l, record(1, 2, 50)) // one behind the gap: nothing of it is missing
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.Flip(hit[0]+99, 1)
	d.Flip(hit[1]+99, 1)
	l = open(t, d)
	var inDoubt []writelog.Shard
	anyone := false
	for _, damage := range l.Damage() {
		if anyone = anyone || damage.Any; !damage.Any {
			inDoubt = append(inDoubt, damage.Shard)
		}
	}
	all := replay(t, l)
	if !anyone || !slices.Equal(inDoubt, []writelog.Shard{2, 3, 4}) || len(all[1]) != 2 || len(all[2]) != 1 {
		t.Errorf("damage %v, replayed %v", l.Damage(), all)
	}
}
