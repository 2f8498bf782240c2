package volume

import (
	"context"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/stats"
)

// Launch begins a write without FUA if its caller need not wait for anything, and says whether it did. It may wait for a Kick, which the caller sees to
// before he waits for anything. done is called once, in a Kick or from another goroutine, with what Write would have returned, and does not block; p
// is the volume's until then. When ctx ends, a write that waits, for others before it that overlap or as the array turns out to have it wait, is given up
// as by Write; what doesn't wait is done.
func (v *Volume) Launch(ctx context.Context, p []byte, off int64, done func(error)) bool {
	if v.launcher == nil || len(p) == 0 || !v.launcher.Launchable(len(p)) || !v.calls.Enter() {
		return false
	}
	if !v.within(off, int64(len(p))) || !v.locks.reserve() {
		v.calls.Leave()
		return false
	}
	l, _ := v.launches.Get().(*launched)
	if l == nil {
		l = &launched{v: v}
		l.answer, l.told.granted, l.told.gaveUp = l.answered, l.resume, l.giveUp
	}
	l.p, l.off, l.ctx, l.done = p, off, ctx, done
	first, n := blocksOf(off, int64(len(p)))
	l.held = ranged{first: first, last: first + cachecore.Block(n-1)}
	if v.locks.enterFor(ctx, &l.held, &l.told) { // else it may be under way already, or at its end
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
	v      *Volume
	p      []byte
	off    int64
	w      *writing
	held   ranged
	told   told            // resume or giveUp, made once
	ctx    context.Context //nolint:containedctx // it belongs to the call
	start  time.Duration   // of the array's call, since the volume was opened
	done   func(error)
	answer func(error) // answered, made once
}

// begin comes when the range is held.
func (l *launched) begin() {
	v := l.v
	l.w = v.begin(l.p, l.off)
	if !v.invalidateNow(l.w.first, uint64(l.w.n)) {
		go l.proceed()
		return
	}
	if l.start = time.Since(v.opened); !v.launcher.Launch(l.p, l.off, l.answer) {
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
	v := l.v
	v.stats.Datastore(stats.Write, len(l.w.p), time.Since(v.opened)-l.start, err != nil)
	if err != nil {
		go l.proceed()
		return
	}
	v.outage.over()
	l.w.finish(true)
	l.end(nil)
}

// proceed is the rest of WriteBy.
func (l *launched) proceed() {
	l.end(l.w.carry(l.ctx, func(ctx context.Context) error {
		return l.v.array.WriteAt(ctx, l.p, l.off, cachecore.WriteOptions{})
	}))
}

func (l *launched) end(err error) {
	v := l.v
	l.done(err)
	v.locks.release(&l.held) // others begin, and may end, in here
	l.p, l.w, l.ctx, l.done, l.told.stop = nil, nil, nil, nil, nil
	if !l.told.late {
		v.launches.Put(l)
	}
	v.calls.Leave()
}

// giveUp comes when ctx has ended before the range was held, and the range is out of the line.
func (l *launched) giveUp() {
	l.done(failedWrite(l.p, l.off, l.ctx.Err()))
	l.v.calls.Leave()
}
