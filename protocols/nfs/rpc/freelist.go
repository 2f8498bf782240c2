package rpc

import "sync"

// freelist keeps calls for reuse. It never has more than were in use at a time.
type freelist struct {
	mu    sync.Mutex
	calls []*Call
}

func (f *freelist) take() *Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.calls)
	if n == 0 {
		return new(Call)
	}
	c := f.calls[n-1]
	f.calls = f.calls[:n-1]
	return c
}

func (f *freelist) give(c *Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
}
