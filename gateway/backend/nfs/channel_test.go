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
		return slices.Index(f.channels, f.pick(r.weight()))
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
		weight := short.weight()
		pick := func(want int, what string) {
			t.Helper()
			if i := slices.Index(f.channels, f.pick(weight)); i != want {
				t.Errorf("%s: connection %d", what, i)
			}
		}
		pick(0, "nothing is under way")
		time.Sleep(stuck - time.Millisecond)
		pick(0, "it has had no time to answer")
		time.Sleep(time.Millisecond)
		pick(1, "it is stuck")
		f.channels[0].end(weight, true)
		pick(0, "it answers again")
		time.Sleep(stuck)
		pick(1, "both are stuck, the second has the least")
		f.channels[0].end(weight, false)
		f.channels[0].end(weight, false)
		pick(0, "nothing is under way there any more")
	})
}
