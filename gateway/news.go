package gateway

import (
	"sync"

	"forebay/cachecore"
)

// news is what a backend that heals itself has told and the attachment has not passed on yet: the last word counts.
type news struct {
	token chan struct{} // one: there is something to pass on
	mu    struct {
		sync.Mutex
		available, resized bool
		reason             string
	}
}

func newNews() news { return news{token: make(chan struct{}, 1)} }

// forget drops what an array has told that is closed.
func (n *news) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.resized = false
	select {
	case <-n.token:
	default:
	}
}

// event is what a backend that heals itself tells of its coming and going.
type event struct {
	Available bool
	Reason    string // why it is not available
	Unproven  bool   // what is cached is not known to be what the array has
	Forsaken  bool   // what was answered and not flushed may be gone; it is Unproven too
	Resized   bool
}

// hear takes an event from the backend's goroutine. That the cache is in doubt is passed on at once, as the backend serves right after; the
// rest waits for the attachment's.
func (a *attachment) hear(e event) {
	if e.Forsaken {
		a.forgot()
	}
	if e.Unproven {
		a.watcher.doubted(e.Forsaken)
	}
	a.news.mu.Lock()
	a.news.mu.available, a.news.mu.reason = e.Available, e.Reason
	a.news.mu.resized = a.news.mu.resized || e.Resized
	a.news.mu.Unlock()
	select {
	case a.news.token <- struct{}{}:
	default:
	}
}

// tell passes on what was heard.
func (a *attachment) tell() {
	a.news.mu.Lock()
	available, reason, resized := a.news.mu.available, a.news.mu.reason, a.news.mu.resized
	a.news.mu.resized = false
	a.news.mu.Unlock()
	if resized {
		a.watcher.resized(a.refresh())
	}
	if available {
		reason = ""
	}
	if !a.away(reason) {
		return
	}
	if available {
		a.log.Info().Msg("array is back")
		a.watcher.attached()
		return
	}
	a.log.Warn().Str("reason", reason).Msg("array away; it is tried again and again")
	a.watcher.lost(false)
}

// refresh learns what the array is now.
func (a *attachment) refresh() cachecore.ArrayInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.info = a.mu.array.Info()
	return a.mu.info
}
