package file

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// flushGroup makes one fdatasync serve everyone who waits for one that begins from now on.
//
// The kernel tells a failed write-back once and then forgets it, so a later fdatasync that succeeds proves nothing. All who waited
// get the failure, and after it every flush and FUA write fails with ErrUnavailable until the array is opened anew.
type flushGroup struct {
	mu      sync.Mutex
	running bool
	next    *flushRun // not begun yet; nil: nobody waits
	broken  error
}

type flushRun struct {
	done chan struct{}
	err  error // read after done
}

// Flush is fdatasync. If ctx ends it returns, and the fdatasync goes on.
func (a *Array) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	run := a.flush.join(a.fdatasync)
	select {
	case <-run.done:
		return run.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *flushGroup) join(sync func() error) *flushRun {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = &flushRun{done: make(chan struct{})}
	}
	run := g.next
	if !g.running {
		g.running = true
		go g.work(sync)
	}
	return run
}

// work runs what is waited for until nobody waits.
func (g *flushGroup) work(sync func() error) {
	for {
		g.mu.Lock()
		run := g.next
		g.next = nil
		g.running = run != nil
		g.mu.Unlock()
		if run == nil {
			return
		}
		if run.err = g.brokenBy(); run.err == nil {
			if run.err = sync(); run.err != nil {
				g.breakBy(run.err)
			}
		}
		close(run.done)
	}
}

func (g *flushGroup) breakBy(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = fmt.Errorf("%w: an earlier flush failed: %w", cachecore.ErrUnavailable, err)
}

func (g *flushGroup) brokenBy() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

// fdatasync fails for a file that has been removed: nobody would find again what it made durable.
func (a *Array) fdatasync() error {
	for {
		err := unix.Fdatasync(a.fd)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("flush %s: %w", a.path, classify(err))
		}
		break
	}
	var st unix.Stat_t
	if err := unix.Fstat(a.fd, &st); err == nil && st.Nlink == 0 && !a.device {
		return fmt.Errorf("%w: %s has been removed", cachecore.ErrUnavailable, a.path)
	}
	return nil
}
