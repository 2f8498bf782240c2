package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// driver puts load on a target, in slices.
type driver struct {
	t       *target
	base    time.Time
	workers []*worker

	// Of the slice under way.
	ctx    context.Context
	stop   atomic.Bool    // slots complete what they have and rest
	busy   sync.WaitGroup // slots that don't rest
	failed chan error     // the first failure
}

// worker is a session with its slots. mu guards the figures: completions run on several goroutines of a session.
type worker struct {
	d      *driver
	slots  []*slot
	cursor atomic.Uint64

	mu            sync.Mutex
	reads, writes latencies
}

// slot has one command outstanding at a time; its fields belong to whoever has the command.
type slot struct {
	w       *worker
	command command
	pattern *pattern
	offset  int64
	write   bool
	begun   time.Duration
}

func newDriver(t *target) *driver {
	d := &driver{t: t, base: time.Now()}
	o := t.opts
	count := uint64(t.length / int64(o.BlockSize))
	for i, session := range t.sessions {
		w := &worker{d: d, reads: newLatencies(), writes: newLatencies()}
		w.cursor.Store(count / uint64(len(t.sessions)) * uint64(i)) // sequential sessions spread out
		for j := range o.Depth {
			s := &slot{w: w, pattern: newPattern(o, count, uint64(i*maxDepth+j), &w.cursor)}
			data := make([]byte, o.BlockSize)
			fillRandom(data, s.pattern.rng)
			s.command = session.command(data, s.completed)
			w.slots = append(w.slots, s)
		}
		d.workers = append(d.workers, w)
	}
	return d
}

func fillRandom(p []byte, rng *rand.Rand) {
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
}

// slice is what one slice of load measured.
type slice struct {
	elapsed       time.Duration
	reads, writes latencies
	cpu, ownCPU   time.Duration
}

func newSlice() slice { return slice{reads: newLatencies(), writes: newLatencies()} }

// run drives the target for a while, or until ctx ends, or until a command fails.
func (d *driver) run(ctx context.Context, span time.Duration) (slice, error) {
	d.ctx, d.failed = ctx, make(chan error, 1)
	d.stop.Store(false)
	cpu, err := cpuTime(d.t.endpoint.PID)
	if err != nil {
		return slice{}, err
	}
	own, begun := ownCPU(), time.Now()
	for _, w := range d.workers {
		w.reads.h.Reset()
		w.writes.h.Reset()
		for _, s := range w.slots {
			d.busy.Add(1)
			s.next(time.Since(d.base))
		}
	}
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case err = <-d.failed:
	}
	d.stop.Store(true)
	result := slice{elapsed: time.Since(begun), ownCPU: ownCPU() - own}
	if err == nil {
		var after time.Duration
		after, err = cpuTime(d.t.endpoint.PID)
		result.cpu = after - cpu
	}
	d.busy.Wait()
	if err == nil {
		select {
		case err = <-d.failed:
		default:
		}
	}
	result.reads, result.writes = d.collect()
	if err != nil {
		err = fmt.Errorf("%s: %w", d.t.name, err)
	}
	return result, err
}

func (d *driver) collect() (reads, writes latencies) {
	reads, writes = newLatencies(), newLatencies()
	for _, w := range d.workers {
		w.mu.Lock()
		reads.h.Merge(w.reads.h)
		writes.h.Merge(w.writes.h)
		w.mu.Unlock()
	}
	return reads, writes
}

// operations counts what the slice under way has completed.
func (d *driver) operations() (n int64) {
	for _, w := range d.workers {
		w.mu.Lock()
		n += w.reads.h.TotalCount() + w.writes.h.TotalCount()
		w.mu.Unlock()
	}
	return n
}

func (d *driver) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
	d.stop.Store(true)
}

// next makes up a command and submits it, at a time since base.
func (s *slot) next(now time.Duration) {
	t := s.w.d.t
	s.offset = t.first + int64(s.pattern.next())*int64(t.opts.BlockSize)
	s.write = !s.pattern.percent(t.opts.Read)
	s.begun = now
	s.command.submit(s.offset, s.write)
}

// completed is the end of a command; it runs on a goroutine of the session.
func (s *slot) completed(err error) {
	d := s.w.d
	if err != nil {
		s.failed(err)
		return
	}
	if d.stop.Load() {
		d.busy.Done()
		return
	}
	now := time.Since(d.base)
	s.w.mu.Lock()
	if s.write {
		s.w.writes.record(now - s.begun)
	} else {
		s.w.reads.record(now - s.begun)
	}
	s.w.mu.Unlock()
	s.next(now)
}

func (s *slot) failed(err error) {
	d := s.w.d
	var lost *lostError
	later, passing := isPassing(err)
	switch {
	case errors.As(err, &lost):
		s.lost(err)
	case passing && time.Since(d.base)-s.begun < reconnectPatience:
		s.retry(later)
	default:
		d.fail(err)
		d.busy.Done()
	}
}

// retry submits a command that was not executed once more. Its time counts from the first try.
func (s *slot) retry(later bool) {
	if later {
		time.AfterFunc(moment, func() { s.retry(false) })
		return
	}
	if s.w.d.stop.Load() {
		s.w.d.busy.Done()
		return
	}
	s.command.submit(s.offset, s.write)
}

// lost goes on with a new session, if that is wanted.
func (s *slot) lost(err error) {
	d := s.w.d
	switch {
	case !d.t.opts.Reconnect:
		d.fail(err)
		d.busy.Done()
		return
	case d.stop.Load():
		d.busy.Done() // the next slice logs in
		return
	}
	go func() { // not on the session's goroutine, which must end first
		if err := s.command.renew(d.ctx); err != nil {
			d.fail(err)
			d.busy.Done()
			return
		}
		s.next(time.Since(d.base))
	}()
}
