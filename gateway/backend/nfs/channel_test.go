package nfs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	wire "forebay/protocols/nfs"
)

var short = &request{procedure: wire.ProcRead, into: make([]byte, 4096)}

func TestShortCallsShareAConnectionUntilItIsCrowded(t *testing.T) {
	f := &Filer{channels: []*channel{{}, {}, {}}}
	begin := func(r *request) int {
		c := f.pick()
		c.begin(r.weight())
		return slices.Index(f.channels, c)
	}
	long := &request{procedure: wire.ProcWrite, data: make([]byte, 1<<20)}
	for range crowd {
		if i := begin(short); i != 0 {
			t.Errorf("a short call goes to connection %d", i)
		}
	}
	if i := begin(long); i != 1 {
		t.Errorf("the first long call goes to connection %d", i)
	}
	for range crowd {
		if i := begin(short); i != 2 { // not behind the long one
			t.Errorf("a short call goes to connection %d", i)
		}
	}
	if i := begin(short); i != 0 && i != 2 { // all are crowded: the least
		t.Errorf("a short call goes to connection %d", i)
	}
}

func TestAConnectionThatAnswersNothingGetsNoMoreCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &Filer{channels: []*channel{{}, {}}}
		first, second := f.channels[0], f.channels[1]
		weight := short.weight()
		first.begin(weight)
		time.Sleep(stuck - time.Millisecond)
		if f.pick() != first {
			t.Error("not given time to answer")
		}
		time.Sleep(time.Millisecond)
		if f.pick() != second {
			t.Error("another call behind one that is stuck")
		}
		first.begin(weight)
		first.end(weight, true)
		if f.pick() != first {
			t.Error("not taken though it answers again")
		}
		time.Sleep(stuck)
		second.begin(weight)
		second.begin(weight)
		time.Sleep(stuck)
		if f.pick() != first {
			t.Error("all are stuck: not the one with the least under way")
		}
	})
}
