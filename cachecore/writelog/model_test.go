package writelog_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// never is an event that has not come.
const never = int(^uint(0) >> 1)

// model is what was asked of a log on a twin, and when it was answered, in the twin's events. It says what a recovery may and must find.
type model struct {
	d       *devicetest.Twin
	records []*asked
	ends    []*asked // of shards: trims and voids, in their order
	last    map[writelog.Shard]cachecore.Seq
	epoch   map[writelog.Shard]cachecore.Epoch
}

// asked is a record, or with end set the trim or void of all of its shard up to Seq.
type asked struct {
	writelog.Record
	index            int // among the records: those before it were asked before
	issued, answered int
}

func newModel(d *devicetest.Twin) *model {
	return &model{d: d, last: map[writelog.Shard]cachecore.Seq{}, epoch: map[writelog.Shard]cachecore.Epoch{}}
}

// next is a record that a shard may have next.
func (m *model) next(shard writelog.Shard, kind writelog.Kind, n int) writelog.Record {
	r := record(shard, m.last[shard]+1, n)
	r.Kind, r.Epoch = kind, m.epoch[shard]+1
	return r
}

// append asks for a record, and returns without waiting.
func (m *model) append(l *writelog.Log, r writelog.Record, answered func()) error {
	a := &asked{Record: r, index: len(m.records), issued: m.d.Events(), answered: never}
	var data [][]byte
	if r.Kind == writelog.Write {
		data = [][]byte{content(r.Shard, r.Seq, int(r.Len))}
	}
	err := l.Append(r, data, func(_ writelog.Position, err error) {
		if err == nil {
			a.answered = m.d.Events()
		}
		answered()
	})
	if err == nil {
		m.records = append(m.records, a)
		m.last[r.Shard] = r.Seq
	}
	return err
}

func (m *model) trim(l *writelog.Log, shard writelog.Shard, upto cachecore.Seq) error {
	return m.end(shard, upto, func() error { return l.Trim(shard, upto) })
}

// void begins a new epoch of the shard, which leaves none of its records.
func (m *model) void(l *writelog.Log, shard writelog.Shard) error {
	m.epoch[shard]++
	return m.end(shard, m.last[shard], func() error { return l.Void(shard, m.epoch[shard]+1) })
}

func (m *model) end(shard writelog.Shard, upto cachecore.Seq, call func() error) error {
	a := &asked{index: len(m.records), issued: m.d.Events(), answered: never}
	a.Shard, a.Seq = shard, upto
	m.ends = append(m.ends, a)
	err := call()
	if err == nil {
		a.answered = m.d.Events()
	}
	return err
}

// check holds what a log replays against what a power cut at that event may have left: of each shard records without a hole, none that was trimmed
// durably, and all that were answered and not trimmed.
func (m *model) check(l *writelog.Log, event int) error {
	if damage := l.Damage(); len(damage) > 0 {
		return fmt.Errorf("damage where there is none: %v", damage)
	}
	got := map[writelog.Shard][]held{}
	order := -1
	err := l.Replay(func(r writelog.Record, at writelog.Position) error {
		got[r.Shard] = append(got[r.Shard], held{r, at})
		i := slices.IndexFunc(m.records, func(a *asked) bool { return a.Shard == r.Shard && a.Seq == r.Seq && a.Epoch == r.Epoch })
		if i < 0 || m.records[i].issued >= event && event > 0 || !sameRecord(m.records[i].Record, r) {
			return fmt.Errorf("shard %d record %d was never asked for", r.Shard, r.Seq)
		}
		if i <= order {
			return fmt.Errorf("shard %d record %d is out of order", r.Shard, r.Seq)
		}
		order = i
		return m.checkContent(l, r, at)
	})
	if err != nil {
		return err
	}
	for shard := range m.last {
		if err := m.checkShard(shard, got[shard], event); err != nil {
			return fmt.Errorf("shard %d: %w", shard, err)
		}
	}
	return nil
}

func (m *model) checkContent(l *writelog.Log, r writelog.Record, at writelog.Position) error {
	if r.Kind != writelog.Write {
		return nil
	}
	p := make([]byte, r.Len)
	if err := l.ReadAt(p, at, 0); err != nil {
		return fmt.Errorf("shard %d record %d: %w", r.Shard, r.Seq, err)
	}
	if string(p) != string(content(r.Shard, r.Seq, len(p))) {
		return fmt.Errorf("shard %d record %d: other bytes", r.Shard, r.Seq)
	}
	return nil
}

func (m *model) checkShard(shard writelog.Shard, got []held, event int) error {
	if !slices.IsSortedFunc(got, func(a, b held) int { return cmp.Compare(a.Seq, b.Seq) }) {
		return fmt.Errorf("replayed %v", seqs(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i].Seq != got[i-1].Seq+1 {
			return fmt.Errorf("a hole in %v", seqs(got))
		}
	}
	ended, mayBe := cachecore.Seq(0), cachecore.Seq(0)
	for _, e := range m.ends {
		if e.Shard == shard && e.answered <= event {
			ended = max(ended, e.Seq)
		}
		if e.Shard == shard && e.issued < event {
			mayBe = max(mayBe, e.Seq)
		}
	}
	if len(got) > 0 && got[0].Seq <= ended {
		return fmt.Errorf("trimmed up to %d, replayed %v", ended, seqs(got))
	}
	if len(got) > 0 && got[0].Seq > mayBe+1 {
		return fmt.Errorf("trimmed up to %d at most, replayed %v", mayBe, seqs(got))
	}
	for _, a := range m.records {
		if a.Shard != shard || a.answered > event || a.Seq <= mayBe {
			continue
		}
		if !slices.ContainsFunc(got, func(h held) bool { return h.Seq == a.Seq }) {
			return fmt.Errorf("record %d was answered, replayed %v", a.Seq, seqs(got))
		}
	}
	return nil
}

// checkImage recovers an image, twice, and holds it against the model.
func (m *model) checkImage(t testing.TB, image []byte, event int) error {
	d := memory(t, image)
	for range 2 {
		l, err := writelog.Open(d, writelog.Options{})
		if err != nil {
			return err
		}
		if err := m.check(l, event); err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}
