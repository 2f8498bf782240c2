package iscsi

import "time"

// window is how many flights the array takes at a time. It is halved when the array has too much to do (BUSY, TASK SET FULL), and grows by
// one when that many were answered.
type window struct {
	size, limit int
	answered    int
	halved      uint64 // flights up to this ticket were sent before it was halved: what they are answered is no news
}

func newWindow(limit int) window { return window{size: limit, limit: limit} }

func (w *window) busy(ticket, latest uint64) {
	if ticket <= w.halved {
		return
	}
	w.size, w.answered, w.halved = max(1, w.size/2), 0, latest
}

func (w *window) good() {
	if w.size == w.limit {
		return
	}
	if w.answered++; w.answered >= w.size {
		w.size, w.answered = w.size+1, 0
	}
}

const (
	shortestPause = time.Millisecond
	longestPause  = 100 * time.Millisecond
)

// pause is how long an op waits before its next issue, having been put off that many times.
func pause(times int) time.Duration {
	return min(shortestPause<<min(times, 10), longestPause)
}
