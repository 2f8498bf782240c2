package rpc

import "sync"

// quota bounds what the calls of one connection hold. Any goroutine gives back; only the reader takes, and waits.
type quota struct {
	mu    sync.Mutex
	calls int
	bytes int
	freed chan struct{} // something has been given back since the reader looked
}

func newQuota(calls, bytes int) quota {
	return quota{calls: calls, bytes: bytes, freed: make(chan struct{}, 1)}
}

// take takes so many calls and bytes, or nothing.
func (q *quota) take(calls, bytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls < calls || q.bytes < bytes {
		return false
	}
	q.calls -= calls
	q.bytes -= bytes
	return true
}

func (q *quota) give(calls, bytes int) {
	if calls == 0 && bytes == 0 {
		return
	}
	q.mu.Lock()
	q.calls += calls
	q.bytes += bytes
	q.mu.Unlock()
	select {
	case q.freed <- struct{}{}:
	default:
	}
}
