package iscsi

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/protocols/iscsi/initiator"
)

// Array is an attached LUN.
type Array struct {
	opts     Options
	info     atomic.Pointer[cachecore.ArrayInfo]
	limits   atomic.Pointer[limits]
	retained *retained
	arena    *ram.Arena
	unfenced atomic.Bool
	opened   atomic.Bool // it has been served

	noUnmap, noZero atomic.Bool // the array has refused it, whatever it tells
	flush10         atomic.Bool // it has taken the shorter SYNCHRONIZE CACHE, and not the longer

	life  context.Context // of the goroutines
	end   context.CancelFunc
	works sync.WaitGroup // the goroutines
	calls sync.WaitGroup // of callers; Add with mu held and the state not closed
	ops   sync.Pool      // of *op: not shared with other arrays, whose sessions may look at a command that was ours
	wake  chan struct{}  // one token: the keeper has something to look at
	first chan error     // the keeper's first result
	kept  chan struct{}  // closed when the keeper is gone

	telling sync.Mutex // held from a change of what Watch was told last until Watch has returned

	mu struct {
		sync.Mutex
		state    state
		reason   error // why it is not served
		todo     todo
		paths    []*path
		path     *path              // in use; nil: none
		session  *initiator.Session // of path, as it was when it was taken into use
		flights  flights
		window   window
		episode  uint64      // counts recoveries
		attempts uint64      // of recoveries, that the array let fail
		deadline *time.Timer // of this recovery
		identity string      // of the medium; empty: not known yet

		registered bool // our reservation was held
		ceded      bool // since it was last served, others have been found to have it
		altered    bool // nor has it been served since it was found smaller, or with other blocks
		untold     untold
	}
}

type state int

const (
	recovering state = iota
	serving
	away
	closed
)

// todo is what a recovery has to see to, beside what it always does.
type todo struct {
	abandon *initiator.Session // it is no longer trusted
	abort   bool               // what is in flight may never be answered
	regroup bool               // the states of the paths are old
	reset   bool               // a change is in doubt
	rewrite bool               // what is unflushed may be lost
}

// untold is what the next event is to tell. The keeper alone adds to it.
type untold struct{ unproven, forsaken, resized bool }

// limits bound single commands, in blocks.
type limits struct {
	block     int // bytes
	transfer  int64
	unmap     int64
	same      int64
	fua       bool // a write can ask for it
	byUnmap   bool // space is given back by UNMAP, else by WRITE SAME
	sameUnmap bool // WRITE SAME may give space back
}

var (
	_ cachecore.Array  = (*Array)(nil)
	_ cachecore.Zeroer = (*Array)(nil)
)

// Open logs in through all portals and attaches the LUN through the best. It wraps cachecore.ErrIdentity if it isn't the expected medium, and
// cachecore.ErrUnavailable where waiting may help.
func Open(ctx context.Context, o Options) (*Array, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	arena, err := ram.NewArena(o.Retain)
	if err != nil {
		return nil, fmt.Errorf("retain what is unflushed: %w", err)
	}
	a := &Array{opts: o, arena: arena, retained: newRetained(ram.NewBuffers(arena.Take(o.Retain))), wake: make(chan struct{}, 1), first: make(chan error, 1), kept: make(chan struct{})}
	a.life, a.end = context.WithCancel(context.Background())
	a.mu.identity = o.Expected
	a.mu.window = newWindow(maxFlights)
	a.mu.todo.reset = true // what an earlier process of ours has left may yet land (PROTOCOL D2)
	a.mu.reason = errNoPath
	for i := range o.Portals {
		a.mu.paths = append(a.mu.paths, &path{array: a, portal: o.Portals[i], options: o.session(i), key: o.Key + uint64(i), doubted: true, doubtedAt: o.Started})
	}
	for _, p := range a.mu.paths {
		a.works.Go(p.keep)
	}
	a.works.Go(a.keep)
	a.works.Go(a.poll)
	select {
	case err = <-a.first:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		a.Close()
		if !lasting(err) && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", cachecore.ErrUnavailable, err)
		}
		return nil, fmt.Errorf("attach %s lun %d: %w", o.Target, o.LUN, err)
	}
	return a, nil
}

// Close ends all calls, gives the reservation up and logs out. What was answered and not flushed stays the array's to keep.
func (a *Array) Close() error {
	a.mu.Lock()
	if a.mu.state == closed {
		a.mu.Unlock()
		return nil
	}
	a.mu.state, a.mu.reason = closed, errClosed
	a.turnAway(fmt.Errorf("%w: %w", cachecore.ErrUnavailable, errClosed))
	if a.mu.deadline != nil {
		a.mu.deadline.Stop()
	}
	a.mu.Unlock()
	a.telling.Lock()   // a deadline that was about to be told sees that it is over
	a.telling.Unlock() //nolint:staticcheck // it was waited for, no more
	a.end()
	a.works.Wait()
	a.calls.Wait()
	if err := a.arena.Close(); err != nil {
		return fmt.Errorf("give back what was retained: %w", err)
	}
	return nil
}

// Info says what the array is; its size may have grown since Open.
func (a *Array) Info() cachecore.ArrayInfo { return *a.info.Load() }

// Unfenced says that the array has no persistent reservations: others can write to it (PROTOCOL D4).
func (a *Array) Unfenced() bool { return a.unfenced.Load() }

// call admits a call of a range, which over ends.
func (a *Array) call(ctx context.Context, off, length int64) error {
	info := a.info.Load()
	switch {
	case off < 0 || length < 0 || off > info.Size || length > info.Size-off:
		return fmt.Errorf("%w: %d bytes at %d of %s, which has %d", cachecore.ErrOutOfRange, length, off, a.opts.Target, info.Size)
	case off%int64(info.LogicalBlock) != 0 || length%int64(info.LogicalBlock) != 0:
		return fmt.Errorf("%d bytes at %d of %s are not whole blocks of %d", length, off, a.opts.Target, info.LogicalBlock)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.state == closed {
		return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, errClosed)
	}
	a.calls.Add(1)
	return nil
}
