package target

import "sync"

// freelist keeps tasks for reuse. It never has more than were in use at a time.
type freelist struct {
	mu    sync.Mutex
	tasks []*task
}

func (f *freelist) take() *task {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.tasks)
	if n == 0 {
		return new(task)
	}
	t := f.tasks[n-1]
	f.tasks = f.tasks[:n-1]
	return t
}

func (f *freelist) give(t *task) {
	f.mu.Lock()
	f.tasks = append(f.tasks, t)
	f.mu.Unlock()
}
