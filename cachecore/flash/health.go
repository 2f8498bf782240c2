package flash

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"forebay/cachecore/device"
)

// health is whether the device may be used. Once it has failed, nothing is asked of it any more and everything is a miss. What it holds is
// still there, though, and may be readable after a restart: before anything that was cached may change, its fate has to be written down where
// a restart looks (Options.Condemn).
type health struct {
	down   atomic.Bool   // failed, withdrawn or closed: all is a miss
	failed chan struct{} // closed when the device has failed

	mu  sync.Mutex
	err error  // why
	end func() // ends the store's life

	condemned atomic.Bool
	turn      chan struct{} // of whoever condemns
}

func (h *health) init(end func()) {
	h.end = end
	h.failed = make(chan struct{})
	h.turn = make(chan struct{}, 1)
}

// fail is called with the first error, and others.
func (h *health) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return
	}
	h.err = err
	h.down.Store(true)
	close(h.failed)
	h.end()
}

func (h *health) reason() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// condemn returns nil when it is written down that the device's content is worth nothing. One tries at a time, each with its own time.
func (h *health) condemn(ctx context.Context, write func(context.Context) error) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	if h.condemned.Load() {
		return nil
	}
	if err := write(ctx); err != nil {
		return fmt.Errorf("condemn the failed flash tier: %w", err)
	}
	h.condemned.Store(true)
	return nil
}

// guard is the device as the store asks it: the first error, and any answer that takes too long, is the end of it.
type guard struct {
	device.Device
	h        *health
	patience time.Duration
}

func (g *guard) ask(what string, off int64, call func() error) error {
	if g.h.reason() != nil {
		return ErrFailed
	}
	late := time.AfterFunc(g.patience, func() { g.h.fail(fmt.Errorf("%s at %d: no answer within %v", what, off, g.patience)) })
	defer late.Stop()
	err := call()
	if err != nil {
		g.h.fail(fmt.Errorf("%s at %d: %w", what, off, err))
	}
	return err
}

func (g *guard) ReadAt(p []byte, off int64) error {
	return g.ask("read", off, func() error { return g.Device.ReadAt(p, off) })
}

func (g *guard) WriteAt(p []byte, off int64) error {
	return g.ask("write", off, func() error { return g.Device.WriteAt(p, off) })
}

func (g *guard) WriteDurable(p []byte, off int64) error {
	return g.ask("durable write", off, func() error { return g.Device.WriteDurable(p, off) })
}

func (g *guard) Sync() error {
	return g.ask("sync", 0, func() error { return g.Device.Sync() })
}
