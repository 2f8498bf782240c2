package nfs

import (
	"context"
	"errors"
	"fmt"

	wire "forebay/protocols/nfs"
)

// ledger is what was answered and is not known to be durable (PROTOCOL E1). A filer that has another verifier than the one under which it answered may
// have lost it.
type ledger struct {
	written  uint64        // UNSTABLE writes answered
	flushed  uint64        // how many of them, the first ones, are accounted: durable, or told as lost
	verifier wire.Verifier // of those that are not
	losses   uint64        // how often some were lost
	owed     bool          // a loss has been found, and no flush has failed for it yet
}

// wrote accounts for a write that was answered under v, and says whether earlier ones are lost.
func (l *ledger) wrote(v wire.Verifier) (lost bool) {
	lost = l.written > l.flushed && v != l.verifier
	if lost {
		l.lose()
	}
	l.written++
	l.verifier = v
	return lost
}

// lose gives up what is not flushed.
func (l *ledger) lose() {
	l.flushed = l.written
	l.losses++
	l.owed = true
}

// mark is the ledger as a flush found it when it began.
type mark struct{ written, losses uint64 }

func (l *ledger) begin() mark { return mark{l.written, l.losses} }

// end accounts for a flush that was answered under v. covered says that everything which was answered before it is durable; lost, that this was
// found out now.
func (l *ledger) end(m mark, v wire.Verifier) (covered, lost bool) {
	if l.written > l.flushed && v != l.verifier {
		l.lose()
		lost = true
	}
	covered = !l.owed && l.losses == m.losses
	l.owed = false
	l.flushed = max(l.flushed, min(m.written, l.written))
	return covered, lost
}

// errLost: what was answered before is gone, or may be.
var errLost = errors.New("the filer may have lost writes that it had answered")

// wrote takes the answer to a write.
func (f *File) wrote(r *wire.WriteResult) {
	if r.Committed != wire.Unstable {
		return
	}
	f.mu.Lock()
	lost := f.mu.ledger.wrote(r.Verifier)
	f.mu.Unlock()
	if lost {
		f.tell(func(e *FileEvent) { e.Unproven, e.Forsaken = true, true })
	}
}

// Flush implements cachecore.Array. It fails if writes were lost since the last one, which Watch is told too.
func (f *File) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	m := f.mu.ledger.begin()
	f.mu.Unlock()
	var r wire.CommitResult
	if err := f.do(ctx, wire.ProcCommit, &wire.CommitArgs{File: f.handle}, &r); err != nil {
		return err
	}
	f.mu.Lock()
	covered, lost := f.mu.ledger.end(m, r.Verifier)
	f.mu.Unlock()
	if lost {
		f.tell(func(e *FileEvent) { e.Unproven, e.Forsaken = true, true })
	}
	if !covered {
		return fmt.Errorf("flush %s: %w", f.opts.Path, errLost)
	}
	return nil
}
