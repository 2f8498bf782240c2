package server

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// CallID is what makes a call the same as an earlier one: a client sends it again under its XID, if need be over another connection, and so
// from another port. Sum is of its credentials and arguments under a key of the cluster's, as XIDs come again: every gateway finds the same one.
type CallID struct {
	Client    netip.Addr // without a zone; not valid if the client has no Internet address
	XID       uint32
	Procedure uint32
	Sum       uint64
}

// Step is what has become of a call.
type Step uint8

// The steps of a call that must not be executed twice. An Intent is followed by one of the others, unless the process ends.
const (
	Intent  Step = 1 + iota // it is about to be executed
	Outcome                 // it has been executed, or refused for good: the client gets the record's Answer whenever it asks
	Void                    // it has not been executed, or nobody can ask for it any more
	Unknown                 // nobody knows, and the client has been told to ask again, which may be under another XID
)

// Record says that a call has taken a step.
type Record struct {
	Step   Step
	ID     CallID
	At     time.Time
	Answer []byte // of an Outcome: its results, encoded; MaxAnswer bytes at most
}

// MaxAnswer is how many bytes the Answer of a Record has at most: no procedure that must not be executed twice has a longer result.
const MaxAnswer = 1 << 10

// Requests keeps what becomes of calls that must not be executed twice, for who serves their clients when this process is gone (PROTOCOL H2). Many
// goroutines use it.
type Requests interface {
	// Earlier returns the records of earlier lives in their order, and is asked once, before anything is kept. The last record of a call may be
	// missing if it is an Outcome or one of very many calls without; of earlier ones any may be.
	Earlier() []Record
	// Keep keeps a record, and nothing that it refers to. It returns when the record outlasts this process, or can't be kept: who keeps it tells.
	// The call is served either way.
	Keep(ctx context.Context, r Record)
}

// noRequests keeps nothing: a new process knows nothing of the calls of an earlier one.
type noRequests struct{}

func (noRequests) Earlier() []Record            { return nil }
func (noRequests) Keep(context.Context, Record) {}

// MemRequests is a Requests in memory, which outlasts the Servers that are made of it. It forgets nothing: it is for tests. Its zero value is
// empty.
type MemRequests struct {
	mu   sync.Mutex
	list []Record
}

// Earlier implements Requests.
func (m *MemRequests) Earlier() []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list)
}

// Keep implements Requests.
func (m *MemRequests) Keep(_ context.Context, r Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Answer = bytes.Clone(r.Answer)
	m.list = append(m.list, r)
}
