package gateway

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
)

// backend is an attached array of the real world.
type backend interface {
	cachecore.Array
	io.Closer
}

// watcher is told of an array's coming and going, in order and from one goroutine.
type watcher interface {
	// attaching: the array is open, and nobody can ask it yet.
	attaching(info cachecore.ArrayInfo)
	// attached: what is asked from now on reaches it.
	attached()
	// lost: what is asked from now on fails. unflushed: changes were answered that no flush has covered, and may be gone.
	lost(unflushed bool)
	// resized: the array has another size.
	resized(info cachecore.ArrayInfo)
	// doubted: others may have changed the array. unflushed: changes were answered that no flush has covered, and are not written again. It is
	// called before anything is read or flushed there again, from any goroutine.
	doubted(unflushed bool)
}

// attachment is a configured array as its volume sees it: it attaches and re-attaches, tells each trouble once, and answers
// ErrUnavailable while there is nothing to ask. It is a cachecore.Array (ask.go).
//
// A backend that has become unavailable is left to finish its calls and closed before the next is opened, so that no write of
// the old one lands behind a write of the new one (PROTOCOL D2). Changes that it answered and did not flush may be gone with it, which
// the watcher is told (PROTOCOL E1). One that heals itself stays open and tells its news instead (news.go).
type attachment struct {
	name, kind string
	open       func(context.Context) (backend, error)
	heals      bool
	watcher    watcher // set by run
	log        zerolog.Logger
	lost       chan error // the first ErrUnavailable that a backend answered which doesn't heal itself
	news       news

	mu struct {
		sync.Mutex
		array  backend // nil: away
		calls  *sync.WaitGroup
		info   cachecore.ArrayInfo // of the last one attached
		reason string              // why it is away

		life              uint64 // how often it may have forgotten what it had answered
		answered, flushed uint64 // changes answered that are not durable by themselves; how many of them a flush has covered
	}
}

// retryAttach is the pause between two attempts to attach.
const retryAttach = time.Second

func newAttachment(name, kind string, open func(context.Context) (backend, error), log zerolog.Logger) *attachment {
	a := &attachment{name: name, kind: kind, open: open, log: log.With().Str("array", name).Logger(), lost: make(chan error, 1), news: newNews()}
	a.mu.reason = "not attached yet"
	return a
}

// run keeps the array attached until ctx ends; then it closes it.
func (a *attachment) run(ctx context.Context, w watcher) {
	a.watcher = w
	for a.attach(ctx) {
		w.attached()
		a.attend(ctx)
	}
}

// attend is the life of an attachment, until the array has to be attached again or ctx ends.
func (a *attachment) attend(ctx context.Context) {
	for {
		select {
		case err := <-a.lost:
			a.log.Warn().Err(err).Msg("array lost; trying to attach it again")
			a.watcher.lost(a.detach(err.Error()))
			return
		case <-a.news.token:
			a.tell()
		case <-ctx.Done():
			a.detach("the gateway ends")
			return
		}
	}
}

// attach tries until it succeeds, or ctx ends. The same trouble is told once.
func (a *attachment) attach(ctx context.Context) bool {
	again := time.NewTicker(retryAttach)
	defer again.Stop()
	for ctx.Err() == nil {
		a.news.forget()
		array, err := a.open(ctx)
		if err == nil && ctx.Err() == nil {
			a.watcher.attaching(array.Info())
			a.set(array)
			return true
		}
		if err == nil {
			a.close(array)
			break
		}
		if a.away(err.Error()) && ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("array can't be attached; trying again every second")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	return false
}

func (a *attachment) set(array backend) {
	select { // what the last one left is not this one's trouble
	case <-a.lost:
	default:
	}
	info := array.Info()
	a.mu.Lock()
	a.mu.array, a.mu.calls, a.mu.info, a.mu.reason = array, new(sync.WaitGroup), info, ""
	a.mu.life++
	a.mu.Unlock()
	a.log.Info().Str("kind", a.kind).Int64("bytes", info.Size).Str("identity", info.Identity).Bool("thin", info.Thin).Msg("array attached")
}

// away notes why the array is away and says whether that is news.
func (a *attachment) away(reason string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	news := a.mu.reason != reason
	a.mu.reason = reason
	return news
}

// detach closes the array once its calls have returned, and says whether something was unflushed.
func (a *attachment) detach(reason string) (unflushed bool) {
	a.mu.Lock()
	array, calls := a.mu.array, a.mu.calls
	a.mu.array, a.mu.reason = nil, reason
	a.mu.Unlock()
	calls.Wait()
	unflushed = a.unflushed()
	a.mu.Lock()
	a.mu.flushed = a.mu.answered
	a.mu.Unlock()
	a.close(array)
	return unflushed
}

// unflushed says whether changes were answered that no flush has covered. An array without a write cache has none: what it has answered is durable.
func (a *attachment) unflushed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.info.WriteCache && a.mu.answered > a.mu.flushed
}

func (a *attachment) close(array backend) {
	if err := array.Close(); err != nil {
		a.log.Warn().Err(err).Msg("close the array")
	}
}

// Life implements writeback.Lives.
func (a *attachment) Life() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.life
}

// forgot notes that the array may have lost what it had answered.
func (a *attachment) forgot() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.life++
}

// state is what the status tells.
func (a *attachment) state() (attached bool, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.array != nil && a.mu.reason == "", a.mu.reason
}
