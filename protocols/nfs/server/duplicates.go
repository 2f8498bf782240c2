package server

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// What is remembered at most, beside the calls under way, which rpc bounds. A client may need minutes to find the way back to a server that was
// gone, as Linux's pauses between attempts grow to five.
const (
	maxAnswers     = 2048
	maxAnswerBytes = 4 << 20
	maxAge         = 10 * time.Minute
)

// answer is that to one call.
type answer struct {
	id      CallID
	doubted *CallID       // what it was called when it may have been executed before; nil: it wasn't
	ended   chan struct{} // closed when the fields below are set
	at      time.Time
	bytes   []byte
}

// duplicates remembers the answers to calls that must not be executed twice, and calls without one that may have been executed.
//
// A call is unknown, under way (begin), and then answered, in doubt or unknown again (end). What is in doubt is under way when it comes again, and
// then knows that. A new process finds calls answered or in doubt as the last one left them; those that were under way are in doubt.
type duplicates struct {
	now func() time.Time
	mu  struct {
		sync.Mutex
		answers map[CallID]*answer // under way or remembered
		order   []*answer          // remembered, the oldest first
		bytes   int                // of those
		doubts  doubts
	}
}

func newDuplicates(now func() time.Time) *duplicates {
	d := &duplicates{now: now}
	d.mu.answers = make(map[CallID]*answer)
	return d
}

// begin returns the answer to a call that has come before. If it hasn't, mine is true, and the caller executes it and calls end. Calls
// in doubt that need not be known any longer are over.
func (d *duplicates) begin(id CallID) (a *answer, mine bool, over []CallID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	over = d.mu.doubts.expire(d.now().Add(-maxAge))
	d.trim()
	if a := d.mu.answers[id]; a != nil {
		return a, false, over
	}
	a = &answer{id: id, doubted: d.mu.doubts.claim(id), ended: make(chan struct{})}
	d.mu.answers[id] = a
	return a, true, over
}

// end gives the answer to those who wait for it. An Outcome's is for those who will come, too.
func (d *duplicates) end(a *answer, s Step, p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a.bytes, a.at = bytes.Clone(p), d.now()
	close(a.ended)
	if s == Outcome {
		d.remember(a)
		return
	}
	delete(d.mu.answers, a.id)
	if s == Unknown {
		d.mu.doubts.add(doubt{id: a.id, told: true, since: a.at})
	}
}

func (d *duplicates) remember(a *answer) {
	d.mu.answers[a.id] = a
	d.mu.order = append(d.mu.order, a)
	d.mu.bytes += len(a.bytes)
	d.trim()
}

// trim forgets what is too old, and the oldest ones if there are too many.
func (d *duplicates) trim() {
	now := d.now()
	for len(d.mu.order) > 0 {
		a := d.mu.order[0]
		if len(d.mu.order) <= maxAnswers && d.mu.bytes <= maxAnswerBytes && now.Sub(a.at) <= maxAge {
			return
		}
		d.mu.order[0] = nil
		d.mu.order = d.mu.order[1:]
		d.mu.bytes -= len(a.bytes)
		delete(d.mu.answers, a.id)
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
