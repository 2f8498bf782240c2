package nfs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
)

// health is whether the filer can be asked. While it serves, calls wait for their answers; once the filer has given no sign of life for as
// long as patience lasts while calls waited, it is away: all of them fail, and so do those that come, until heal has found it again.
type health struct {
	filer    *Filer
	patience time.Duration

	mu struct {
		sync.Mutex
		state    state
		reason   error           // why it is away, or closed
		up       context.Context // of the calls while it serves
		down     context.CancelCauseFunc
		waiting  int       // calls
		heard    time.Time // the last sign of life, or when the first of those who wait began to
		armed    bool      // look is going to be called
		sounding bool      // a sign of life is being asked for
	}
}

type state int

const (
	serving state = iota
	away
	closed
)

var errSilent = errors.New("no sign of life")

func newHealth(f *Filer) *health {
	h := &health{filer: f, patience: f.opts.Patience}
	h.mu.up, h.mu.down = context.WithCancelCause(context.Background())
	return h
}

// begin counts a call of Do, unless the filer is closed.
func (h *health) begin() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.state == closed {
		return fmt.Errorf("%w: %w", wire.ErrAway, errClosed)
	}
	h.filer.calls.Add(1)
	return nil
}

// enter admits a call. Its context ends with the one returned, of which the cause is an ErrAway; the call ends with leave.
func (h *health) enter() (context.Context, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.state != serving {
		return nil, fmt.Errorf("%w: %w", wire.ErrAway, h.mu.reason)
	}
	if h.mu.waiting++; h.mu.waiting == 1 {
		h.mu.heard = time.Now()
	}
	if !h.mu.armed {
		h.mu.armed = true
		time.AfterFunc(h.patience/2, h.look)
	}
	return h.mu.up, nil
}

// leave ends a call that was admitted with up. One of the time before the filer was away does not count any more.
func (h *health) leave(up context.Context, answered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if up != h.mu.up {
		return
	}
	h.mu.waiting--
	if answered {
		h.mu.heard = time.Now()
	}
}

// look is called now and then while calls wait.
func (h *health) look() {
	h.mu.Lock()
	if h.mu.state != serving || h.mu.waiting == 0 {
		h.mu.armed = false
		h.mu.Unlock()
		return
	}
	quiet := time.Since(h.mu.heard)
	switch {
	case quiet >= h.patience:
		h.mu.armed = false
		h.mu.Unlock()
		h.goAway(h.filer.silence())
		return
	case quiet < h.patience/2:
		time.AfterFunc(h.patience/2-quiet, h.look)
	default:
		if !h.mu.sounding {
			h.mu.sounding = true
			h.filer.works.Go(h.sound)
		}
		time.AfterFunc(h.patience-quiet, h.look)
	}
	h.mu.Unlock()
}

// sound asks for a sign of life: a call may take long, and the filer live.
func (h *health) sound() {
	ctx, cancel := context.WithTimeout(h.filer.life, h.patience)
	defer cancel()
	err := h.filer.sound(ctx)
	if errors.Is(err, cachecore.ErrIdentity) {
		h.goAway(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.sounding = false
	if err == nil {
		h.mu.heard = time.Now()
	}
}

// goAway ends all calls and begins to heal, which ends the connections on which nothing has come.
func (h *health) goAway(reason error) {
	h.filer.audience.tell(func() (Event, bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.mu.state != serving {
			return Event{}, false
		}
		h.mu.state, h.mu.reason = away, reason
		h.mu.down(fmt.Errorf("%w: %w", wire.ErrAway, reason))
		h.filer.works.Go(h.heal)
		return Event{Reason: reason.Error()}, true
	})
}

// heal tries until the filer is there again, as the one that it was.
func (h *health) heal() {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		h.filer.abandon()
		ctx, cancel := context.WithTimeout(h.filer.life, h.patience)
		err := h.filer.sound(ctx)
		cancel()
		if err == nil {
			h.comeBack()
			return
		}
		h.mu.Lock()
		if h.mu.state == away {
			h.mu.reason = err
		}
		h.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-h.filer.life.Done():
			timer.Stop()
			return
		}
	}
}

const (
	firstPause = 100 * time.Millisecond
	longPause  = time.Second
)

// comeBack lets calls through again, and then tells of it.
func (h *health) comeBack() {
	h.filer.audience.tell(func() (Event, bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.mu.state != away {
			return Event{}, false
		}
		h.mu.state, h.mu.reason = serving, nil
		h.mu.up, h.mu.down = context.WithCancelCause(context.Background())
		h.mu.waiting = 0
		return Event{Available: true}, true
	})
}

// close ends all calls for ever.
func (h *health) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.state, h.mu.reason = closed, errClosed
	h.mu.down(fmt.Errorf("%w: %w", wire.ErrAway, errClosed))
}

// event is what there is to tell at any time.
func (h *health) event() Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.state == serving {
		return Event{Available: true}
	}
	return Event{Reason: h.mu.reason.Error()}
}
