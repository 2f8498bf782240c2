package volume

import (
	"context"
	"fmt"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/stats"
)

// Launch begins a write without FUA if its caller need not wait for anything, and says whether it did. It may wait for a Kick, which the caller sees to
// before he waits for anything. done is called once, in a Kick or from another goroutine, with what Write would have returned, and does not block; p
// is the volume's until then. A write that overlaps others waits for their end, whatever becomes of ctx; and where the array turns out to have it wait after all, it does
// so until ctx ends.
func (v *Volume) Launch(ctx context.Context, p []byte, off int64, done func(error)) bool {
	if v.launcher == nil || len(p) == 0 || !v.launcher.Launchable(len(p)) || !v.calls.enter() {
		return false
	}
	if !v.within(off, int64(len(p))) || !v.locks.reserve() {
		v.calls.leave()
		return false
	}
	l, _ := v.launches.Get().(*launched)
	if l == nil {
		l = &launched{v: v}
		l.answer, l.granted = l.answered, l.resume
	}
	l.p, l.off, l.ctx, l.done, l.start = p, off, ctx, done, time.Now()
	first, n := blocksOf(off, int64(len(p)))
	l.held = ranged{first: first, last: first + cachecore.Block(n-1), call: l.granted}
	if v.locks.enter(&l.held) { // else it may be under way already
		l.begin()
	}
	return true
}

// Kick has the writes done that have been launched, or begins that.
func (v *Volume) Kick() {
	if v.launcher != nil {
		v.launcher.Kick()
	}
}

// launched is a write under way that nobody waits for.
type launched struct {
	v       *Volume
	p       []byte
	off     int64
	w       *writing
	held    ranged
	ctx     context.Context //nolint:containedctx // it belongs to the call
	start   time.Time
	done    func(error)
	answer  func(error) // answered, made once
	granted func()      // resume, likewise
}

// begin comes when the range is held.
func (l *launched) begin() {
	v := l.v
	l.w = v.begin(l.p, l.off)
	if !v.invalidateNow(l.w.first, uint64(l.w.n)) || !v.launcher.Launch(l.p, l.off, l.answer) {
		go l.proceed()
	}
}

// resume is begin after the range was waited for, by whoever has let go of it.
func (l *launched) resume() {
	l.begin()
	l.v.launcher.Kick()
}

// answered takes the array's answer. With an error the write goes on as one that waits: the array may have it wait, or do it in another way.
func (l *launched) answered(err error) {
	if err != nil {
		go l.proceed()
		return
	}
	v := l.v
	v.stats.Datastore(stats.Write, len(l.w.p), time.Since(l.start), false)
	v.outage.over()
	l.end(nil)
}

// proceed is the rest of WriteBy.
func (l *launched) proceed() {
	v, w := l.v, l.w
	err := v.invalidate(l.ctx, w.first, uint64(w.n))
	if err == nil {
		err = v.ask(l.ctx, v.counted(stats.Write, len(w.p), func(ctx context.Context) error {
			return v.array.WriteAt(ctx, w.p, w.off, cachecore.WriteOptions{})
		}))
	}
	if err != nil {
		err = fmt.Errorf("write of %d bytes at %d: %w", len(w.p), w.off, err)
	}
	l.end(err)
}

func (l *launched) end(err error) {
	v, done := l.v, l.done
	l.w.finish(err == nil)
	done(err)
	v.locks.release(&l.held) // others begin, and may end, in here
	l.p, l.w, l.ctx, l.done = nil, nil, nil, nil
	v.launches.Put(l)
	v.calls.leave()
}
