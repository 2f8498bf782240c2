// Package workers keeps goroutines for a connection's calls. A goroutine that has just begun has a small stack, which is copied, again and again, as
// it grows to what a call takes: that costs more than many a call. A worker's stack has grown.
package workers

// Pool is one connection's workers: as many as calls were under way at a time. Whoever calls Do bounds that.
type Pool[T any] struct {
	run  func(T)
	idle chan T
}

// New returns a pool without workers. run is called for each call, by many goroutines at a time.
func New[T any](run func(T)) *Pool[T] { return &Pool[T]{run: run, idle: make(chan T)} }

// Do has a worker run a call, one that waits or a new one, and does not wait for it.
func (p *Pool[T]) Do(call T) {
	select {
	case p.idle <- call:
	default:
		go p.work(call)
	}
}

func (p *Pool[T]) work(call T) {
	for more := true; more; call, more = <-p.idle {
		p.run(call)
	}
}

// Close ends the workers, each when it has done its call. Nobody calls Do any more.
func (p *Pool[T]) Close() { close(p.idle) }
