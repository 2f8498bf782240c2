package nfs

import (
	"testing"

	wire "forebay/protocols/nfs"
)

func TestShortCallsShareAConnectionUntilItIsCrowded(t *testing.T) {
	f := &Filer{channels: []*channel{{}, {}, {}}}
	begin := func(r *request) int {
		c := f.pick()
		c.busy.Add(r.weight())
		for i := range f.channels {
			if f.channels[i] == c {
				return i
			}
		}
		return -1
	}
	short, long := &request{procedure: wire.ProcRead, into: make([]byte, 4096)}, &request{procedure: wire.ProcWrite, data: make([]byte, 1<<20)}
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
