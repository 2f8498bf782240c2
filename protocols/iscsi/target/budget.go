package target

import (
	"sync"
	"sync/atomic"
)

// budget bounds the bytes of data that the commands of one connection hold beyond their first bursts. Who finds it used up stands in
// line, so that memory never holds up the reader, which has to see task management and NOPs.
type budget struct {
	mu    sync.Mutex
	free  int
	line  []*task      // each wants task.demand bytes; bounded by the command window
	queue atomic.Int32 // len(line), readable without the lock
	grant func(*task)
}

// reserve takes n bytes for t now and says true; or it puts t in line, to be granted by another goroutine, and says false.
func (b *budget) reserve(t *task, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.demand = n
	if len(b.line) == 0 && b.free >= n {
		b.free -= n
		return true
	}
	b.line = append(b.line, t)
	b.queue.Store(int32(len(b.line)))
	return false
}

// try is reserve without the line.
func (b *budget) try(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.line) > 0 || b.free < n {
		return false
	}
	b.free -= n
	return true
}

// release gives n bytes back and grants what fits now, in order.
func (b *budget) release(n int) {
	b.mu.Lock()
	b.free += n
	var granted []*task
	for len(b.line) > 0 && b.line[0].demand <= b.free {
		b.free -= b.line[0].demand
		granted = append(granted, b.line[0])
		b.line = b.line[1:]
	}
	b.queue.Store(int32(len(b.line)))
	b.mu.Unlock()
	for _, t := range granted {
		b.grant(t)
	}
}

// crowded says whether somebody stands in line.
func (b *budget) crowded() bool { return b.queue.Load() > 0 }

// end returns who still stands in line; nobody is granted anything any more.
func (b *budget) end() []*task {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := b.line
	b.line = nil
	b.queue.Store(0)
	return line
}
