package export

import (
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/ram"
)

// Objects numbers the objects of a gateway. Numbers are fewer than the files that are met in the course of time, so they are given back; one
// whose object was closed a moment ago rests, as who has just looked it up may still look for its blocks.
type Objects struct {
	mu struct {
		sync.Mutex
		reserved, last cachecore.ObjectID
		taken          map[cachecore.ObjectID]bool // and those that rest
		resting        []cachecore.ObjectID
	}
}

// resting is how many numbers rest.
const resting = 1024

// Reserve takes the numbers up to n.
func (o *Objects) Reserve(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.reserved, o.mu.last = cachecore.ObjectID(n), cachecore.ObjectID(n)
}

// take returns a number that no other object has.
func (o *Objects) take() cachecore.ObjectID {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.taken == nil {
		o.mu.taken = map[cachecore.ObjectID]bool{}
	}
	for {
		if o.mu.last++; o.mu.last > ram.LastObject {
			o.mu.last = o.mu.reserved + 1
		}
		if !o.mu.taken[o.mu.last] {
			o.mu.taken[o.mu.last] = true
			return o.mu.last
		}
	}
}

// give takes back the number of an object of which nothing is cached nor ever will be.
func (o *Objects) give(id cachecore.ObjectID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.resting = append(o.mu.resting, id)
	if len(o.mu.resting) > resting {
		delete(o.mu.taken, o.mu.resting[0])
		o.mu.resting = o.mu.resting[1:]
	}
}
