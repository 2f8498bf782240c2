// Package workers keeps goroutines for a connection's calls. A goroutine that has just begun has a small stack, which is copied, again and again, as
// it grows to what a call takes: that costs more than many a call. A worker's stack has grown.
package workers

import "sync/atomic"

// Pool is one connection's workers: one for each call under way, which whoever calls Do bounds, and a few that wait for the next.
type Pool[T any] struct {
	run  func(T)
	next chan T
	idle atomic.Int32
}

// mostIdle is how many workers wait for calls: as many as initiators and NFS clients usually have under way. A busier time leaves no more stacks behind.
const mostIdle = 32

// New returns a pool without workers. run is called for each call, by many goroutines at a time.
func New[T any](run func(T)) *Pool[T] { return &Pool[T]{run: run, next: make(chan T)} }

// Do has a worker run a call, one that waits or a new one, and does not wait for it.
func (p *Pool[T]) Do(call T) {
	select {
	case p.next <- call:
	default:
		go p.work(call)
	}
}

func (p *Pool[T]) work(call T) {
	for more := true; more; {
		p.run(call)
		call, more = p.await()
	}
}

// await waits for the next call, with nothing of the last; false: there is none for this worker.
func (p *Pool[T]) await() (call T, more bool) {
	defer p.idle.Add(-1)
	if p.idle.Add(1) > mostIdle {
		return call, false
	}
	call, more = <-p.next
	return call, more
}

// Close ends the workers, each when it has done its call. Nobody calls Do any more.
func (p *Pool[T]) Close() { close(p.next) }
