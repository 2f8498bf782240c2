package target

import (
	"context"
	"sync"
)

// revocable is the context of a task that was launched: it ends with the session, and when the task is aborted. A launched task hardly ever waits, so
// what a context takes is made when somebody asks for Done.
type revocable struct {
	context.Context //nolint:containedctx // the session's, which is its parent

	mu      sync.Mutex // a leaf
	revoked bool
	done    chan struct{} // made by Done
	stop    func() bool   // the parent's end is not waited for any more; made by Done
}

// Done implements context.Context.
func (r *revocable) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = make(chan struct{})
		if r.revoked {
			close(r.done)
		} else {
			r.stop = context.AfterFunc(r.Context, r.revoke)
		}
	}
	return r.done
}

// Err implements context.Context.
func (r *revocable) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.revoked {
		return context.Canceled
	}
	return r.Context.Err()
}

// revoke ends it.
func (r *revocable) revoke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.revoked {
		return
	}
	r.revoked = true
	if r.done != nil {
		close(r.done)
	}
}

// release forgets it at its parent: the task has ended.
func (r *revocable) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop != nil {
		r.stop()
	}
}
