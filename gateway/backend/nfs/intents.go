package nfs

import (
	"sync"
	"time"
)

// intents are the changes of which it isn't known whether they were made, by the ids of their requests (PROTOCOL H2). Who makes the same one
// again within intentLife means the same one: what it finds done was done for it.
type intents struct {
	mu   sync.Mutex
	list map[string]time.Time // when it was given up last
}

const (
	intentLife = 10 * time.Minute
	maxIntents = 1024
)

func (i *intents) open(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.list == nil {
		i.list = make(map[string]time.Time)
	}
	i.list[id] = time.Now()
	if len(i.list) > maxIntents {
		i.dropOldest()
	}
}

func (i *intents) dropOldest() {
	var oldest string
	for id, at := range i.list {
		if oldest == "" || at.Before(i.list[oldest]) {
			oldest = id
		}
	}
	delete(i.list, oldest)
}

func (i *intents) isOpen(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	at, ok := i.list[id]
	if ok && time.Since(at) > intentLife {
		delete(i.list, id)
		return false
	}
	return ok
}

func (i *intents) close(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.list, id)
}
