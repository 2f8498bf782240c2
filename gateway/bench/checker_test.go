package bench

import (
	"testing"

	"pgregory.net/rapid"
)

// A history is a story of one sector; each step is named by what happens.
func TestTheCheckerTellsLegalHistoriesFromIllegalOnes(t *testing.T) {
	type step struct {
		do   string // write, acked, lost, send, got
		read int    // which read, for send and got
		v    uint32 // for got
	}
	for name, c := range map[string]struct {
		steps []step
		wrong bool // the last step is
	}{
		"what was acknowledged is read":                     {steps: []step{{do: "write"}, {do: "acked"}, {do: "send"}, {do: "got", v: 1}}},
		"an older version after the acknowledgement":        {wrong: true, steps: []step{{do: "write"}, {do: "acked"}, {do: "write"}, {do: "acked"}, {do: "send"}, {do: "got", v: 1}}},
		"a read beside a write: the old one":                {steps: []step{{do: "write"}, {do: "acked"}, {do: "write"}, {do: "send"}, {do: "got", v: 1}}},
		"a read beside a write: the new one":                {steps: []step{{do: "write"}, {do: "acked"}, {do: "write"}, {do: "send"}, {do: "got", v: 2}}},
		"a read sent before the acknowledgement may be old": {steps: []step{{do: "write"}, {do: "send"}, {do: "acked"}, {do: "got", v: 0}}},
		"a write sent after the read may be seen by it":     {steps: []step{{do: "send"}, {do: "write"}, {do: "got", v: 1}}},
		"a version that nobody wrote":                       {wrong: true, steps: []step{{do: "write"}, {do: "send"}, {do: "got", v: 2}}},
		"back to the old one after the new one was read": {wrong: true,
			steps: []step{{do: "write"}, {do: "send"}, {do: "got", v: 1}, {do: "send", read: 1}, {do: "got", read: 1, v: 0}}},
		"reads that overlap may see either": {
			steps: []step{{do: "write"}, {do: "send"}, {do: "send", read: 1}, {do: "got", v: 1}, {do: "got", read: 1, v: 0}}},
		"a lost write may have landed":   {steps: []step{{do: "write"}, {do: "acked"}, {do: "write"}, {do: "lost"}, {do: "send"}, {do: "got", v: 2}}},
		"a lost write may have not":      {steps: []step{{do: "write"}, {do: "acked"}, {do: "write"}, {do: "lost"}, {do: "send"}, {do: "got", v: 1}}},
		"a lost write can't hide others": {wrong: true, steps: []step{{do: "write"}, {do: "acked"}, {do: "write"}, {do: "lost"}, {do: "send"}, {do: "got", v: 0}}},
		"a lost write after a later one": {wrong: true, steps: []step{{do: "write"}, {do: "lost"}, {do: "write"}, {do: "acked"}, {do: "send"}, {do: "got", v: 1}}},
		"a lost write, seen, stays":      {wrong: true, steps: []step{{do: "write"}, {do: "lost"}, {do: "send"}, {do: "got", v: 1}, {do: "send"}, {do: "got", v: 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			checker := NewChecker(1)
			floors := map[int][]uint32{}
			for i, s := range c.steps {
				switch s.do {
				case "write":
					if !checker.BeginWrite(0, make([]uint32, 1)) {
						t.Fatal("the sector is busy")
					}
				case "acked", "lost":
					checker.EndWrite(0, 1, s.do == "acked")
				case "send":
					floors[s.read] = make([]uint32, 1)
					checker.BeginRead(0, floors[s.read])
				case "got":
					wrong := len(checker.EndRead(0, floors[s.read], []uint32{s.v}, nil)) > 0
					if wrong != (c.wrong && i == len(c.steps)-1) {
						t.Errorf("step %d: wrong is %v", i, wrong)
					}
				}
			}
		})
	}
}

func TestWritesOfASectorAreSerialised(t *testing.T) {
	c := NewChecker(10)
	v := make([]uint32, 4)
	if !c.BeginWrite(2, v) || c.BeginWrite(5, v) || c.BeginWrite(0, v[:3]) || !c.BeginWrite(6, v) || !c.BeginWrite(0, v[:2]) {
		t.Error("overlapping writes are told apart wrongly")
	}
	c.EndWrite(2, 4, true)
	if !c.BeginWrite(5, v[:1]) || v[0] != 2 {
		t.Errorf("after the end: version %d", v[0])
	}
}

// Whatever the order of events, a register that applies writes and answers reads at one moment between sending and completion is
// never accused; and one that answers with an overwritten version always is.
func TestTheCheckerNeverAccusesALinearizableTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const sectors = 3
		c := NewChecker(sectors)
		type read struct {
			sector      int
			floor       []uint32
			got         uint32
			done        bool
			overwritten uint32 // below this, an answer is stale for sure
		}
		var value, pending, acked [sectors]uint32
		var busy, applied [sectors]bool
		var reads []*read
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			s := rapid.IntRange(0, sectors-1).Draw(t, "sector")
			switch rapid.IntRange(0, 5).Draw(t, "event") {
			case 0: // send a write
				v := make([]uint32, 1)
				if c.BeginWrite(s, v) {
					busy[s], applied[s], pending[s] = true, false, v[0]
				}
			case 1: // it takes effect
				if busy[s] && !applied[s] {
					value[s], applied[s] = pending[s], true
				}
			case 2: // its end: lost ones may not have taken effect, but can't any more
				if busy[s] {
					ok := applied[s] && rapid.Bool().Draw(t, "acknowledged")
					c.EndWrite(s, 1, ok)
					if busy[s] = false; ok {
						acked[s] = value[s]
					}
				}
			case 3: // send a read
				r := &read{sector: s, floor: make([]uint32, 1), overwritten: acked[s]}
				c.BeginRead(s, r.floor)
				reads = append(reads, r)
			default: // a read takes effect, or completes
				if len(reads) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(reads)-1).Draw(t, "read")
				r := reads[i]
				if !r.done {
					r.got, r.done = value[r.sector], true
					continue
				}
				if r.overwritten > 0 && len(c.EndRead(r.sector, r.floor, []uint32{r.overwritten - 1}, nil)) == 0 {
					t.Fatalf("version %d was taken, %d was acknowledged before", r.overwritten-1, r.overwritten)
				}
				if wrong := c.EndRead(r.sector, r.floor, []uint32{r.got}, nil); len(wrong) > 0 {
					t.Fatalf("accused: %+v", wrong)
				}
				reads = append(reads[:i], reads[i+1:]...)
			}
		}
	})
}
