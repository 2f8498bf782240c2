package staged

import (
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"forebay/protocols/nfs"
)

// alone is the weight of who has a file's order alone; WRITEs have 1.
const alone = 1 << 30

// file is a file with a slot.
type file struct {
	handle nfs.Handle
	slot   int64
	order  *semaphore.Weighted

	users   int  // guarded by FileSystem.mu
	leaving bool // is forgotten when it is let go; guarded by FileSystem.mu

	mu     sync.Mutex
	known  bool     // attr and base are
	named  bool     // its names have changed since it was heard of: it may be gone
	attr   nfs.Attr // what the filer said last
	base   times    // of the filer, that stand for those that are shown
	shown  times
	end    uint64 // of what was acknowledged while it was dirty
	sized  bool   // end is the size, whatever the filer says: a record sets that
	reach  uint64 // no record has content behind it
	last   mark   // the newest record
	dirty  bool
	moving bool
	ended  uint64 // the turn of the last change: what the filer was asked before is older
	names  uint64 // the turn of the last change of its names
	writer nfs.Caller
	wrote  bool // there is a writer
	rights []right

	carrier nfs.Caller // as whom the destager has written last
	refused error      // why the filer wouldn't commit what was written
}

// see takes in attributes that the filer was asked for at a turn, and returns those to be shown. Not ok: they are from before a change, and the filer is to
// be asked again.
func (f *file) see(a *nfs.Attr, since uint64) (shown nfs.Attr, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since >= f.ended {
		f.learn(a)
	}
	return f.show(), f.known
}

// learn is see with f.mu held, of what is no older than what is known.
func (f *file) learn(a *nfs.Attr) {
	now := timesOf(a)
	switch {
	case !f.known:
		f.known, f.base = true, now
		f.shown.ctime = latest(f.shown.ctime, now.ctime)
		if !f.dirty || !ahead(now.mtime) { // else its records take that back
			f.shown.mtime = latest(f.shown.mtime, now.mtime)
		}
	case f.moving: // the destager's doing
	default: // others', if anybody's
		if now.mtime != f.base.mtime {
			f.shown.mtime = modified(now.mtime, f.shown.mtime)
		}
		if now.ctime != f.base.ctime {
			f.shown.ctime = after(now.ctime, f.shown.ctime)
		}
		f.base = now
	}
	f.attr, f.named = *a, false
}

// show is what is to be shown now, of what the filer said. f.mu is held, and the attributes are known.
func (f *file) show() nfs.Attr {
	a := f.attr
	a.Mtime, a.Ctime = f.shown.mtime, f.shown.ctime
	switch {
	case f.dirty && f.sized:
		a.Size = f.end
	case f.dirty:
		a.Size = max(a.Size, f.end)
	}
	return a
}

func weak(a *nfs.Attr) nfs.WccAttr {
	return nfs.WccAttr{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime}
}

// written takes in a WRITE that the log has, up to an end, and returns what it changed. before is what was shown before it was logged: by now the filer
// may have it too.
func (f *file) written(before nfs.Attr, end uint64) nfs.WccData {
	return f.acknowledged(before, func() { f.end = max(f.end, end) })
}

// resized is written of a SETATTR of the size.
func (f *file) resized(before nfs.Attr, size uint64) nfs.WccData {
	return f.acknowledged(before, func() { f.end, f.sized, f.reach = size, true, size })
}

func (f *file) acknowledged(before nfs.Attr, enter func()) nfs.WccData {
	f.mu.Lock()
	defer f.mu.Unlock()
	if timesOf(&before) != f.shown { // others of ours came between
		before = f.show()
	}
	now := timeOf(time.Now().Add(-coarseness))
	f.shown = times{modified(now, f.shown.mtime), after(now, f.shown.ctime)}
	if f.dirty { // else the filer has it already
		enter()
	}
	return nfs.WccData{Before: nfs.Some(weak(&before)), After: nfs.Some(f.show())}
}

// changed takes in what the filer said of a file after a change that found it without records, asked for at a turn.
// mtime: it set that. rights: it may have changed what users may do.
func (f *file) changed(turn uint64, a *nfs.PostOpAttr, mtime, rights bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if rights {
		f.rights = nil
	}
	if !a.Follows {
		f.unknown(turn)
		return
	}
	f.ended, f.end = turn, 0
	now := timesOf(&a.Value)
	switch {
	case mtime:
		f.shown.mtime = now.mtime
	case now.mtime != f.base.mtime:
		f.shown.mtime = modified(now.mtime, f.shown.mtime)
	}
	if now.ctime != f.base.ctime { // else it was refused
		f.shown.ctime = after(now.ctime, f.shown.ctime)
	}
	f.known, f.base, f.attr = true, now, a.Value
}

// renamed notes that the names of a file that has no records may be others by now, or it be gone; emptied: its content, too.
func (f *file) renamed(turn uint64, emptied bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.named, f.ended, f.names = true, turn, turn
	if emptied {
		f.unknown(turn)
	}
}

// renamedSince says whether that was after a turn.
func (f *file) renamedSince(turn uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.names > turn
}

// unknown notes a change of which the filer has said nothing: what it says next of the file is taken as it is. f.mu is held.
func (f *file) unknown(turn uint64) {
	f.ended, f.end, f.known = turn, 0, false
	now := timeOf(time.Now().Add(-coarseness))
	f.shown = times{modified(now, f.shown.mtime), after(now, f.shown.ctime)}
}
