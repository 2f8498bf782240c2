package nfs

import (
	"context"
	"errors"
	"time"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
)

// hear takes an event of the filer.
func (f *File) hear(e Event) {
	f.tell(func(own *FileEvent) {
		own.Available, own.Reason = e.Available, e.Reason
		f.mu.Lock()
		defer f.mu.Unlock()
		if e.Available && f.mu.gone != nil {
			own.Available, own.Reason = false, f.mu.gone.Error()
		}
		if l := &f.mu.ledger; e.VerifierChanged && l.written > l.flushed {
			l.lose()
			own.Unproven, own.Forsaken = true, true
		}
	})
}

// tell tells Watch of what change does to the state that it was told last, if it is news.
func (f *File) tell(change func(*FileEvent)) {
	f.telling.Lock()
	defer f.telling.Unlock()
	e := f.told
	change(&e)
	if e == f.told {
		return
	}
	f.told = FileEvent{Available: e.Available, Reason: e.Reason}
	f.opts.Watch(e)
}

// poll looks at the file now and then: it may have grown, or have been removed.
func (f *File) poll() {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.look(f.life)
		case <-f.life.Done():
			return
		}
	}
}

func (f *File) look(ctx context.Context) {
	var r wire.GetAttrResult
	err := f.do(ctx, wire.ProcGetAttr, &wire.HandleArgs{Object: f.handle}, &r)
	if err != nil && (errors.Is(err, wire.ErrAway) || !errors.Is(err, cachecore.ErrIdentity)) {
		return // the filer is away, be it for another medium in its place, which is told by itself
	}
	f.mu.Lock()
	f.mu.gone = err
	f.mu.Unlock()
	regrown := err == nil && f.regrown(&r.Attr)
	resized := err == nil && f.resize(&r.Attr)
	f.tell(func(e *FileEvent) {
		e.Unproven, e.Resized = regrown, resized
		switch up := f.filer.health.event(); {
		case !up.Available:
		case err != nil:
			e.Available, e.Reason = false, err.Error()
		default:
			e.Available, e.Reason = true, ""
		}
	})
}

// foundCut notes that the file is shorter than Info says.
func (f *File) foundCut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.cut = true
}

// regrown says whether the file is as long again as it was before others cut it: what it has there is other than what is cached.
func (f *File) regrown(attr *wire.Attr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.mu.cut
	f.mu.cut = f.infoOf(attr).Size < f.Info().Size
	return was && !f.mu.cut
}

// resize follows a file that has grown. One that was cut keeps its size here: what is gone of it can't be read.
func (f *File) resize(attr *wire.Attr) bool {
	is, was := f.infoOf(attr), f.info.Load()
	if is.Size <= was.Size {
		return false
	}
	f.info.Store(is)
	f.filer.opts.Log.Info().Str("path", f.opts.Path).Int64("bytes", is.Size).Msg("the file has grown")
	return true
}
