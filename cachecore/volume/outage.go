package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/stats"
)

// Outage is what is known of an array that is away, shared by the volumes of that array. I/O is held from the first that found it so.
type Outage struct {
	hold time.Duration
	mu   struct {
		sync.Mutex
		since time.Time // zero: it is not away
		woken chan struct{}
	}
}

// The pauses between attempts double from the first to the longest.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// NewOutage returns an array's that is not known to be away. hold is how long I/O is held while it is; with 0 it fails at once.
func NewOutage(hold time.Duration) *Outage { return &Outage{hold: hold} }

// waker is closed by the next Wake.
func (o *Outage) waker() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.woken == nil {
		o.mu.woken = make(chan struct{})
	}
	return o.mu.woken
}

// Wake says that the array is back: the outage ends, as far as we know, and what is held tries again at once.
func (o *Outage) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.since = time.Time{}
	if o.mu.woken != nil {
		close(o.mu.woken)
		o.mu.woken = nil
	}
}

func (o *Outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.since = time.Time{}
}

// left is how much longer a call is to be held that first found the array away at that time. The first of all begins the outage; a call that
// began to wait before the array answered others is held no longer for it.
func (o *Outage) left(first time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.since.IsZero() {
		o.mu.since = time.Now()
	}
	if o.mu.since.Before(first) {
		first = o.mu.since
	}
	return o.hold - time.Since(first)
}

// Ask calls f, and again while it says that the array is unavailable and I/O is to be held, until ctx ends.
func (o *Outage) Ask(ctx context.Context, f func(context.Context) error) error {
	return o.held(ctx, nil, func(ctx context.Context) error { return o.once(ctx, f) })
}

// held calls f, and again while the array is unavailable and I/O is to be held. An unavailable array has done nothing, so asking again does
// nothing twice. In between nothing of what others may need should be held: buffers and slots are shared with volumes whose arrays are there.
func (o *Outage) held(ctx context.Context, end <-chan struct{}, f func(context.Context) error) error {
	var first time.Time
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		woken := o.waker() // before the call: a wake during it counts
		err := f(ctx)
		if !isUnavailable(err) {
			return err
		}
		if first.IsZero() {
			first = time.Now()
		}
		left := o.left(first)
		if left <= 0 {
			return err
		}
		timer := time.NewTimer(min(pause, left))
		select {
		case <-timer.C:
		case <-woken:
		case <-end:
			timer.Stop()
			return err
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w, while held: %w", ctx.Err(), err)
		}
		timer.Stop()
	}
}

// once calls the array. An answer, whatever it is, ends an outage.
func (o *Outage) once(ctx context.Context, call func(context.Context) error) error {
	err := call(ctx)
	if !isUnavailable(err) && !isContext(err) {
		o.over()
	}
	return err
}

func (v *Volume) held(ctx context.Context, f func(context.Context) error) error {
	return v.outage.held(ctx, v.life.Done(), f)
}

func (v *Volume) once(ctx context.Context, call func(context.Context) error) error {
	return v.outage.once(ctx, call)
}

// ask is once, held.
func (v *Volume) ask(ctx context.Context, call func(context.Context) error) error {
	return v.held(ctx, func(ctx context.Context) error { return v.once(ctx, call) })
}

// counted counts a transfer, for once and ask.
func (v *Volume) counted(op stats.Operation, n int, call func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		start := time.Now()
		err := call(ctx)
		v.stats.Datastore(op, n, time.Since(start), err != nil)
		return err
	}
}

// isUnavailable says whether the array was away and has done nothing.
func isUnavailable(err error) bool {
	return errors.Is(err, cachecore.ErrUnavailable) && !errors.Is(err, cachecore.ErrUnknownOutcome)
}

// isContext says whether an error comes from the caller's context and tells nothing of the array.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
