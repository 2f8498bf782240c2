package writeback

import (
	"forebay/cachecore/writelog"
)

// Launchable implements cachecore.Launcher: while writes are answered by the log, which has room, and nothing paces them.
func (a *Array) Launchable(n int) bool {
	if int64(n) > a.opts.Log.MaxData() {
		return false
	}
	mode, fill := a.pressure()
	return mode == Back && fill < paceFrom
}

// Kick implements cachecore.Launcher.
func (a *Array) Kick() { a.opts.Log.Kick() }

// Launch implements cachecore.Launcher.
func (a *Array) Launch(p []byte, off int64, done func(error)) bool {
	if len(p) == 0 || a.check(off, int64(len(p))) != nil {
		return false
	}
	t, err := a.begin(writelog.Record{Kind: writelog.Write, Off: off, Len: int64(len(p))}, p, done)
	if err == nil && t == nil { // the mode has just become through
		a.endDirect(errHeld)
	}
	return t != nil
}
