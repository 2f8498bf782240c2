package writeback

import (
	"sync"
	"time"
)

// rate is how fast intervals reach the array, and how many transfers at a time that is given without starving reads.
type rate struct {
	mu       sync.Mutex
	bytes    float64 // of records a second, as they came
	parallel int     // transfers at a time
	most     int
	busy     bool // an interval is under way

	idle, loaded time.Duration // what a read of the array takes, without and with an interval under way; averages
}

func (r *rate) start(most int) { r.parallel, r.most = max(1, most/2), most }

// incoming is in bytes a second; 0: not known.
func (r *rate) incoming() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// reading times a read of the array, until the returned function is called.
func (r *rate) reading() func() {
	start := time.Now()
	return func() {
		took := time.Since(start)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.busy {
			average(&r.loaded, took)
		} else {
			average(&r.idle, took)
		}
	}
}

func average(to *time.Duration, sample time.Duration) {
	if *to == 0 {
		*to = sample
	}
	*to += (sample - *to) / 16
}

// patience is how much longer reads may take while an interval is under way before it is given fewer transfers.
const patience = 3

// begin is the start of an interval: it returns how many transfers it may have at a time.
func (r *rate) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = true
	switch {
	case r.idle > 0 && r.loaded > patience*r.idle:
		r.parallel = max(1, r.parallel*3/4)
	default:
		r.parallel = min(r.most, r.parallel+1)
	}
	return r.parallel
}

// end is that of an interval of records of so many bytes; took is 0 if it failed.
func (r *rate) end(size int64, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	if took <= 0 || size == 0 {
		return
	}
	now := float64(size) / took.Seconds()
	if r.bytes == 0 {
		r.bytes = now
	}
	r.bytes += (now - r.bytes) / 4
}
