package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/iscsi/initiator"
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

// worker is a session with its slots. mu guards the figures: completions run on two goroutines of a session.
type worker struct {
	d      *driver
	conn   *connection
	slots  []*slot
	cursor atomic.Uint64

	mu            sync.Mutex
	reads, writes latencies
}

// slot has one command outstanding at a time; its fields belong to whoever has the command.
type slot struct {
	w       *worker
	session *initiator.Session
	command initiator.Command
	pattern *pattern
	data    []byte
	write   bool
	begun   time.Duration
}

func newDriver(t *target) *driver {
	d := &driver{t: t, base: time.Now()}
	o := t.opts
	count := uint64(t.length / int64(o.BlockSize))
	for i, c := range t.sessions {
		w := &worker{d: d, conn: c, reads: newLatencies(), writes: newLatencies()}
		w.cursor.Store(count / uint64(len(t.sessions)) * uint64(i)) // sequential sessions spread out
		for j := range o.Depth {
			s := &slot{w: w, session: c.session, pattern: newPattern(o, count, uint64(i*maxDepth+j), &w.cursor)}
			s.data = make([]byte, o.BlockSize)
			fillRandom(s.data, s.pattern.rng)
			s.command.LUN, s.command.Done = t.lun, s.completed
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
			s.next()
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

// next makes up a command and submits it.
func (s *slot) next() {
	o := &s.w.d.t.opts
	block := uint64(s.w.d.t.block)
	lba := (uint64(s.w.d.t.first) + s.pattern.next()*uint64(o.BlockSize)) / block
	blocks := uint32(uint64(o.BlockSize) / block)
	if s.write = !s.pattern.percent(o.Read); s.write {
		s.command.In, s.command.Out = nil, s.data
		s.command.Write(lba, blocks, false)
	} else {
		s.command.In, s.command.Out = s.data, nil
		s.command.Read(lba, blocks)
	}
	s.submit()
}

func (s *slot) submit() {
	s.begun = time.Since(s.w.d.base)
	if err := s.session.Submit(&s.command); err != nil {
		s.lost(err)
	}
}

// completed is the end of a command; it runs on a goroutine of the session.
func (s *slot) completed(c *initiator.Command) {
	d := s.w.d
	if err := c.Failure(); err != nil {
		s.failed(err)
		return
	}
	if d.stop.Load() {
		d.busy.Done()
		return
	}
	took := time.Since(d.base) - s.begun
	s.w.mu.Lock()
	if s.write {
		s.w.writes.record(took)
	} else {
		s.w.reads.record(took)
	}
	s.w.mu.Unlock()
	s.next()
}

func (s *slot) failed(err error) {
	d := s.w.d
	switch {
	case s.session.Err() != nil:
		s.lost(s.session.Err())
	case passing(err) && d.stop.Load():
		d.busy.Done()
	case passing(err):
		s.submit()
	default:
		d.fail(err)
		d.busy.Done()
	}
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
		if err := s.w.conn.renew(d.ctx, s.session); err != nil {
			d.fail(err)
			d.busy.Done()
			return
		}
		s.session = s.w.conn.current()
		s.next()
	}()
}
