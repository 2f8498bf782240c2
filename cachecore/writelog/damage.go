package writelog

import (
	"cmp"
	"fmt"
	"slices"

	"forebay/cachecore"
)

// Damage says that records which were durable may be missing (PROTOCOL F2). It lasts until the shard is void or begins anew, or what is missing
// is trimmed.
type Damage struct {
	Shard Shard
	Name  string
	// Any: what is missing may also be of shards that the log knows nothing else of.
	Any bool
	// From is the first record that is, or may be, missing. The ones before it are whole; the ones behind it are not replayed.
	From cachecore.Seq
	// Epoch is the highest that a missing record can be of; 0: that is not known.
	Epoch  cachecore.Epoch
	Reason string
}

func (d Damage) String() string {
	if d.Any {
		return "any shard: " + d.Reason
	}
	return fmt.Sprintf("shard %016x %q from record %d on: %s", uint64(d.Shard), d.Name, d.From, d.Reason)
}

// Damage is what is known to be damaged now: found by Open, by an earlier one, or when old records were moved. Shards that aren't among it are
// whole.
func (l *Log) Damage() []Damage {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.mu.lost)
	for _, s := range l.mu.shards {
		if s.damaged != 0 {
			all = append(all, s.damage())
		}
	}
	slices.SortFunc(all, func(a, b Damage) int { return cmp.Compare(a.Shard, b.Shard) })
	return all
}

// Tail is what stood where the log ends: a frame that the power cut short, or so it seems. None of its records was answered unless the device lost
// what it had made durable within the time of an idle frame; so who recovers asks the members of the replica set for them before the log goes on
// (PROTOCOL F1).
type Tail struct {
	Frame   uint64
	Records []Record // of the frame, as far as they could be read
}

// Torn returns the tail that Open has cut; false: there was none to be seen.
func (l *Log) Torn() (Tail, bool) {
	if l.torn == nil {
		return Tail{}, false
	}
	return *l.torn, true
}
