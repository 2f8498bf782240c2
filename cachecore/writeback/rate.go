package writeback

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// rate is how fast intervals reach the array, and how many transfers at a time that is given without starving reads of it: additive increase,
// multiplicative decrease, by what reads take beside transfers and without. While nobody reads there are as many as may be.
type rate struct {
	mu     sync.Mutex
	bytes  float64 // of records a second, as they came
	bare   float64 // the same of intervals that had no data, by their overhead
	most   int     // transfers at a time
	borne  float64 // that reads bear
	moving int     // under way
	freed  chan struct{}

	readers int
	read    time.Time     // the last read of the array ended
	cut     time.Time     // borne was last decreased: what reads took that began before says nothing of the present
	alone   time.Duration // what a read takes while nothing is transferred, an average; 0: not known
	least   time.Duration // the least that one took beside a single transfer; 0: not known
}

const (
	// patience is how much longer reads may take beside transfers.
	patience = 3
	// shortRead is the longest read in bytes that is timed: longer ones take their own time.
	shortRead = 64 << 10
	// silence is how long nobody has to have read for transfers to get more.
	silence = time.Second
	// pressed is the part of all transfers that the destager has at least when room gets short: writes wait for it then as reads do.
	pressed = 4
)

func (r *rate) start(most int) {
	r.borne, r.most, r.freed = float64(max(1, most/2)), most, make(chan struct{}, 1)
}

// incoming is in bytes a second; 0: not known.
func (r *rate) incoming() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// ending is incoming for who drains: if no data have come, what carries records without any is known.
func (r *rate) ending() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return cmp.Or(r.bytes, r.bare)
}

// reading is a read of the array of so many bytes, until the returned function is called.
func (r *rate) reading(n int) func() {
	began := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers++
	beside := r.moving
	return func() {
		now := time.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.readers--
		r.read = now
		if n <= shortRead {
			r.took(now.Sub(began), began, max(beside, r.moving))
		}
	}
}

// took learns from one read beside so many transfers. r.mu is held.
func (r *rate) took(took time.Duration, began time.Time, beside int) {
	switch {
	case beside == 0:
		if r.alone == 0 {
			r.alone = took
		}
		r.alone += (took - r.alone) / 16
	case began.Before(r.cut):
	case r.starved(took, beside):
		r.borne, r.cut = max(1, r.borne/2), time.Now()
	default:
		r.borne = min(float64(r.most), r.borne+1/r.borne)
	}
}

// starved says whether a read that ran beside transfers took too long. As long as it isn't known what one takes alone, one transfer's company is the
// measure, and they get fewer until it is known. r.mu is held.
func (r *rate) starved(took time.Duration, beside int) bool {
	if r.alone > 0 {
		return took > patience*r.alone
	}
	if beside == 1 && (r.least == 0 || took < r.least) {
		r.least = took
	}
	return r.least == 0 || took > patience*r.least
}

// enter waits until one more transfer may begin; false if ctx has ended. short: room is.
func (r *rate) enter(ctx context.Context, short *atomic.Bool) bool {
	for {
		r.mu.Lock()
		limit := int(r.borne)
		if short.Load() {
			limit = max(limit, r.most/pressed)
		}
		if limit = max(1, limit); r.moving < limit {
			if r.moving++; r.moving < limit {
				r.signal()
			}
			r.mu.Unlock()
			return true
		}
		r.mu.Unlock()
		select {
		case <-r.freed:
		case <-ctx.Done():
			return false
		}
	}
}

// leave is the end of a transfer.
func (r *rate) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moving--
	if r.readers == 0 && time.Since(r.read) > silence {
		r.borne = min(float64(r.most), r.borne+1)
	}
	r.signal()
}

// signal has one who waits look again, and the next one after that if there is room for it too. r.mu is held.
func (r *rate) signal() {
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// carried notes an interval of records of so many bytes.
func (r *rate) carried(size int64, took time.Duration) { r.learn(&r.bytes, size, took) }

// cleared notes an interval of so many records that have no data.
func (r *rate) cleared(records int64, took time.Duration) { r.learn(&r.bare, records*overhead, took) }

func (r *rate) learn(mean *float64, n int64, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if took <= 0 || n == 0 {
		return
	}
	now := float64(n) / took.Seconds()
	if *mean == 0 {
		*mean = now
	}
	*mean += (now - *mean) / 4
}
