package writelog_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// step is one call of a workload.
type step func(t testing.TB, m *model, l *writelog.Log) *writelog.Log

// writes asks for records in one go, so that they share frames, and waits for them.
func writes(shard writelog.Shard, sizes ...int) step {
	return func(t testing.TB, m *model, l *writelog.Log) *writelog.Log {
		var wait sync.WaitGroup
		for _, n := range sizes {
			kind := writelog.Write
			if n == 0 {
				kind = writelog.Barrier
			}
			wait.Add(1)
			if err := m.append(l, m.next(shard, kind, n), wait.Done); err != nil {
				t.Fatal(err)
			}
		}
		wait.Wait()
		return l
	}
}

func trims(shard writelog.Shard, upto cachecore.Seq) step {
	return func(t testing.TB, m *model, l *writelog.Log) *writelog.Log {
		if err := m.trim(l, shard, upto); err != nil {
			t.Fatal(err)
		}
		return l
	}
}

func voids(shard writelog.Shard) step {
	return func(t testing.TB, m *model, l *writelog.Log) *writelog.Log {
		if err := m.void(l, shard); err != nil {
			t.Fatal(err)
		}
		return l
	}
}

// reopens closes the log and recovers it.
func reopens(t testing.TB, m *model, l *writelog.Log) *writelog.Log {
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, m.d)
}

func repeat(n int, steps ...step) (all []step) {
	for range n {
		all = append(all, steps...)
	}
	return all
}

// TestF1_EveryCrashOfShortWorkloads cuts the power at every event of short workloads, and recovers from every image that it may leave, or, where
// there are more than 2048, from that many.
func TestF1_EveryCrashOfShortWorkloads(t *testing.T) {
	workloads := map[string][]step{
		"one small":          {writes(1, 100)},
		"one block":          {writes(1, 4096)},
		"one that is empty":  {writes(1, 0)},
		"three in one frame": {writes(1, 100, 0, 2000)},
		"two shards":         {writes(1, 100), writes(2, 100), writes(1, 100)},
		"trim":               {writes(1, 100, 100, 100), trims(1, 2), writes(1, 50)},
		"trim of all":        {writes(1, 100, 100), trims(1, 2), writes(1, 50), trims(1, 3)},
		"void":               {writes(1, 100, 100), voids(1), writes(1, 100)},
		"reopened":           {writes(1, 100), reopens, writes(1, 100), writes(2, 4096), reopens},
		"across segments":    {writes(1, 5000, 5000), writes(2, 5000), writes(1, 6000, 6000, 6000)},
		"reopened at the end of a segment": append(append(repeat(7, writes(1, 100)), reopens),
			writes(2, 5000), reopens, writes(1, 100)),
	}
	for name, steps := range workloads {
		t.Run(name, func(t *testing.T) {
			m := run(t, steps)
			images, all := 0, true
			random := rand.New(rand.NewPCG(1, 2))
			for event := range m.d.Events() + 1 {
				every := m.d.Crash(event).Each(1<<11/thin, random, func(image []byte) bool {
					images++
					if err := m.checkImage(t, image, event); err != nil {
						t.Errorf("power cut at event %d: %v", event, err)
						return false
					}
					return true
				})
				all = all && every
			}
			t.Logf("%d events, %d images, every one: %v", m.d.Events(), images, all)
		})
	}
}

func run(t testing.TB, steps []step) *model {
	m := newModel(formatted(t, smallSize, smallSegment))
	l := open(t, m.d)
	for _, s := range steps {
		l = s(t, m, l)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestF1_CrashesOfLongWorkloads lets a log live through many laps and power cuts, at random.
func TestF1_CrashesOfLongWorkloads(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		units, segments := rapid.SampledFrom([]int64{8, 12, 24}).Draw(r, "units"), rapid.SampledFrom([]int64{8, 11, 16}).Draw(r, "segments")
		m := newModel(formatted(t, (4+units*segments)*device.Unit, units*device.Unit))
		l := recovered(r, m.d)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		defer func() { l.Close() }()
		for range rapid.IntRange(1, 60/thin).Draw(r, "steps") {
			l = anyStep(t, r, m, l, random)
		}
	})
}

// recovered opens a log without keeping it until the test's end, of which there are too many for that.
func recovered(r *rapid.T, d device.Device) *writelog.Log {
	l, err := writelog.Open(d, writelog.Options{})
	if err != nil {
		r.Fatal(err)
	}
	return l
}

// anyStep does something that a log may live through.
func anyStep(t testing.TB, r *rapid.T, m *model, l *writelog.Log, random *rand.Rand) *writelog.Log {
	must := func(err error) {
		if err != nil {
			r.Fatal(err)
		}
	}
	shard := writelog.Shard(random.IntN(4) + 1)
	switch dice := random.IntN(20); {
	case dice < 12:
		burst(r, m, l, random)
	case dice < 16 && m.last[shard] > 0:
		must(m.trim(l, shard, m.last[shard]-cachecore.Seq(random.IntN(int(min(m.last[shard], 4))))))
	case dice < 17 && m.last[shard] > 0:
		must(m.void(l, shard))
	case dice < 18:
		must(l.Close())
		return recovered(r, m.d)
	default:
		return crash(t, r, m, l, random)
	}
	return l
}

// burst appends records of several shards, until some are refused for want of room perhaps; then the one with most is trimmed.
func burst(r *rapid.T, m *model, l *writelog.Log, random *rand.Rand) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for range random.IntN(12) + 1 {
		shard := writelog.Shard(random.IntN(4) + 1)
		n := random.IntN(int(l.MaxData())) + 1
		wait.Add(1)
		err := m.append(l, m.next(shard, writelog.Write, n), wait.Done)
		if err == nil {
			continue
		}
		wait.Done()
		if used, capacity := l.Space(); used+int64(n)+200 <= capacity {
			r.Fatalf("refused with %d of %d used: %v", used, capacity, err)
		}
		for shard, last := range m.last {
			if err := m.trim(l, shard, last); err != nil {
				r.Fatal(err)
			}
			break
		}
	}
}

// crash cuts the power at one of the last events, checks images, and goes on from one of them.
func crash(t testing.TB, r *rapid.T, m *model, l *writelog.Log, random *rand.Rand) *writelog.Log {
	event := m.d.Events() - random.IntN(min(m.d.Events(), 8)+1)
	var last []byte
	m.d.Crash(event).Each(6, random, func(image []byte) bool {
		if err := m.checkImage(t, image, event); err != nil {
			r.Fatalf("power cut at event %d of %d: %v", event, m.d.Events(), err)
		}
		last = image
		return random.IntN(4) > 0
	})
	if err := l.Close(); err != nil {
		r.Fatal(err)
	}
	d := devicetest.FromImage(last)
	next := recovered(r, d)
	m.goOn(r, next, d)
	return next
}

// goOn makes what a log has recovered the beginning of the model.
func (m *model) goOn(r *rapid.T, l *writelog.Log, d *devicetest.Twin) {
	kept := newModel(d)
	kept.epoch = m.epoch
	trimmed := map[writelog.Shard]bool{}
	err := l.Replay(func(rec writelog.Record, _ writelog.Position) error {
		rec.Name = ""
		kept.records = append(kept.records, &asked{Record: rec, index: len(kept.records)})
		if kept.last[rec.Shard] = rec.Seq; !trimmed[rec.Shard] {
			trimmed[rec.Shard] = true
			kept.ends = append(kept.ends, &asked{Record: writelog.Record{Shard: rec.Shard, Seq: rec.Seq - 1}})
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	for shard, last := range m.last { // a shard without records goes on above all that it ever had
		if kept.last[shard] == 0 {
			kept.last[shard] = last + 1000
			kept.ends = append(kept.ends, &asked{Record: writelog.Record{Shard: shard, Seq: last + 1000}})
		}
	}
	for i := range kept.records {
		kept.records[i].issued = -1
	}
	for i := range kept.ends {
		kept.ends[i].issued = -1
	}
	*m = *kept
}
