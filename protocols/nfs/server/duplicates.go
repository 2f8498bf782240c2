package server

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"time"
)

// What is remembered at most, beside the calls under way, which rpc bounds.
const (
	maxAnswers     = 2048
	maxAnswerBytes = 4 << 20
	maxAnswerAge   = 2 * time.Minute
)

// callKey is what makes a call the same as an earlier one: a client sends it again under its XID, if need be over another connection, and
// so from another port. sum is of its credentials and arguments, as XIDs come again.
type callKey struct {
	client    netip.Addr
	xid       uint32
	procedure uint32
	sum       uint64
}

// answer is that to one call.
type answer struct {
	key   callKey
	ended chan struct{} // closed when the fields below are set
	at    time.Time
	bytes []byte
}

// duplicates remembers the answers to calls that must not be executed twice.
type duplicates struct {
	now func() time.Time
	mu  struct {
		sync.Mutex
		answers map[callKey]*answer // under way or remembered
		order   []*answer           // remembered, the oldest first
		bytes   int                 // of those
	}
}

func newDuplicates(now func() time.Time) *duplicates {
	d := &duplicates{now: now}
	d.mu.answers = make(map[callKey]*answer)
	return d
}

// begin returns the answer to a call that has come before. If it hasn't, mine is true, and the caller executes it and calls end.
func (d *duplicates) begin(k callKey) (a *answer, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trim()
	if a := d.mu.answers[k]; a != nil {
		return a, false
	}
	a = &answer{key: k, ended: make(chan struct{})}
	d.mu.answers[k] = a
	return a, true
}

// end gives the answer to those who wait for it. keep says whether it holds for those who will come, too.
func (d *duplicates) end(a *answer, p []byte, keep bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a.bytes, a.at = bytes.Clone(p), d.now()
	close(a.ended)
	if !keep {
		delete(d.mu.answers, a.key)
		return
	}
	d.mu.order = append(d.mu.order, a)
	d.mu.bytes += len(p)
	d.trim()
}

// trim forgets what is too old, and the oldest ones if there are too many.
func (d *duplicates) trim() {
	now := d.now()
	for len(d.mu.order) > 0 {
		a := d.mu.order[0]
		if len(d.mu.order) <= maxAnswers && d.mu.bytes <= maxAnswerBytes && now.Sub(a.at) <= maxAnswerAge {
			return
		}
		d.mu.order[0] = nil
		d.mu.order = d.mu.order[1:]
		d.mu.bytes -= len(a.bytes)
		delete(d.mu.answers, a.key)
	}
}

// wait waits until a call has been answered.
func (a *answer) wait(ctx context.Context) ([]byte, error) {
	select {
	case <-a.ended:
		return a.bytes, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
