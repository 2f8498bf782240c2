// Package requeststest is the suite that every server.Requests passes.
package requeststest

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"forebay/protocols/nfs/server"
)

// TestRequests runs the suite. Each call of lives makes a store that is new; each call of what that returns ends the store's life, as a kill does, and
// begins the next one.
func TestRequests(t *testing.T, lives func(t *testing.T) (next func() server.Requests)) {
	for name, test := range map[string]func(t *testing.T, next func() server.Requests){
		"a new one has nothing":           startsEmpty,
		"the last step of each is there":  lastStep,
		"answers are as they were":        answers,
		"what is kept refers to nothing":  refersToNothing,
		"calls differ by each part of ID": identities,
	} {
		t.Run(name, func(t *testing.T) { test(t, lives(t)) })
	}
}

var began = time.Unix(1e9, 0)

// call is a call under an XID.
func call(xid uint32) server.CallID {
	return server.CallID{Client: netip.MustParseAddr("192.0.2.1"), XID: xid, Procedure: 12, Sum: 1 << 50}
}

func keep(t *testing.T, r server.Requests, id server.CallID, steps ...server.Step) {
	t.Helper()
	for _, s := range steps {
		k := server.Record{Step: s, ID: id, At: began}
		if s == server.Outcome {
			k.Answer = []byte{byte(id.XID), 0, 0, 1}
		}
		r.Keep(t.Context(), k)
	}
}

// last returns the last record of a call among those of earlier lives, or none.
func last(list []server.Record, id server.CallID) (r server.Record) {
	for _, k := range list {
		if k.ID == id {
			r = k
		}
	}
	return r
}

func startsEmpty(t *testing.T, next func() server.Requests) {
	if list := next().Earlier(); len(list) > 0 {
		t.Errorf("%v", list)
	}
}

func lastStep(t *testing.T, next func() server.Requests) {
	r := next()
	steps := [][]server.Step{
		{server.Intent}, {server.Intent, server.Outcome}, {server.Intent, server.Unknown}, {server.Intent, server.Void},
		{server.Intent, server.Void, server.Intent}, {server.Intent, server.Unknown, server.Intent, server.Outcome},
		{server.Intent, server.Unknown, server.Void}, {server.Intent, server.Outcome, server.Intent},
	}
	for i, list := range steps {
		keep(t, r, call(uint32(i)), list...)
	}
	for life := range 3 {
		earlier := next().Earlier()
		for i, list := range steps {
			want := list[len(list)-1]
			got := last(earlier, call(uint32(i))).Step
			if got != want && (got != 0 || want != server.Void) {
				t.Errorf("life %d, after %v: %v", life, list, got)
			}
		}
	}
}

func answers(t *testing.T, next func() server.Requests) {
	r := next()
	sizes := []int{0, 1, 4, server.MaxAnswer}
	want := func(n int) []byte { return bytes.Repeat([]byte{0xa5}, n) }
	at := began.Add(12345)
	for i, n := range sizes {
		r.Keep(t.Context(), server.Record{Step: server.Outcome, ID: call(uint32(i)), At: at, Answer: want(n)})
	}
	list := next().Earlier()
	for i, n := range sizes {
		if got := last(list, call(uint32(i))); !bytes.Equal(got.Answer, want(n)) || !got.At.Equal(at) {
			t.Errorf("%d bytes: %d bytes, at %v", n, len(got.Answer), got.At)
		}
	}
}

func refersToNothing(t *testing.T, next func() server.Requests) {
	r := next()
	p := []byte("answer")
	r.Keep(t.Context(), server.Record{Step: server.Outcome, ID: call(1), At: began, Answer: p})
	copy(p, "others")
	if got := last(next().Earlier(), call(1)); string(got.Answer) != "answer" {
		t.Errorf("%q", got.Answer)
	}
}

func identities(t *testing.T, next func() server.Requests) {
	r := next()
	var ids []server.CallID
	for _, client := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")} {
		ids = append(ids, server.CallID{Client: client}, server.CallID{Client: client, XID: 1 << 31}, server.CallID{Client: client, Procedure: 1 << 31},
			server.CallID{Client: client, Sum: 1 << 63})
	}
	for _, id := range ids {
		keep(t, r, id, server.Intent)
	}
	list := next().Earlier()
	for _, id := range ids {
		if last(list, id).Step != server.Intent {
			t.Errorf("%+v is missing", id)
		}
	}
}
