package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies collects how long operations took. One goroutine's at a time.
type latencies struct{ h *hdrhistogram.Histogram }

const (
	shortest = 100 // ns
	longest  = int64(5 * time.Minute)
	digits   = 3
)

func newLatencies() latencies {
	return latencies{hdrhistogram.New(shortest, longest, digits)}
}

func (l latencies) record(d time.Duration) {
	_ = l.h.RecordValue(min(max(int64(d), 1), longest)) // it is within the bounds
}

// Latency tells percentiles, in microseconds.
type Latency struct {
	Operations int64   `json:"operations"`
	Mean       float64 `json:"mean_us"`
	P50        float64 `json:"p50_us"`
	P90        float64 `json:"p90_us"`
	P99        float64 `json:"p99_us"`
	P999       float64 `json:"p99.9_us"`
	Max        float64 `json:"max_us"`
}

func (l latencies) summary() Latency {
	at := func(p float64) float64 { return float64(l.h.ValueAtPercentile(p)) / 1e3 }
	return Latency{Operations: l.h.TotalCount(), Mean: l.h.Mean() / 1e3, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(l.h.Max()) / 1e3}
}
