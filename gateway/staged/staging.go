package staged

import (
	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// mark says which a record is.
type mark struct {
	seq   cachecore.Seq
	epoch cachecore.Epoch
}

// logged notes a record, that may have content up to an end, and returns the newest before it.
func (f *file) logged(r mark, end uint64) (before mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.last, f.dirty, f.reach = f.last, r, true, max(f.reach, end)
	return before
}

// unlogged takes that back.
func (f *file) unlogged(before mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = before
}

// trimmed notes that the filer has all records up to one, and those of lower epochs, and says whether that is all of the file.
func (f *file) trimmed(upto mark) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.seq <= upto.seq || f.last.epoch < upto.epoch {
		f.dirty, f.end, f.sized, f.reach = false, 0, false, 0
	}
	return !f.dirty
}

// isKnown says whether the filer has told what the file is like.
func (f *file) isKnown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

// isNew says whether nothing has been shown of the file, since it was given its slot.
func (f *file) isNew() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shown == times{}
}

func (f *file) isMoving() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moving
}

// staged says whether the filer may lack something of the file, or be getting it.
func (f *file) staged() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dirty || f.moving
}

// move begins the carrying of something of the file to the filer.
func (f *file) move() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moving = true
}

// moved ends it: the filer has that, and says so of the file; nil: it says nothing, as it has refused it, or the file is gone by now.
func (f *file) moved(turn uint64, a *nfs.Attr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moving, f.ended = false, turn
	if f.known = a != nil; f.known {
		f.base, f.attr = timesOf(a), *a
	}
}
