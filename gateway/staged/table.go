package staged

import (
	"context"

	"golang.org/x/sync/semaphore"

	"forebay/protocols/nfs"
)

// find returns the file with a slot, to be let go, or nil.
func (s *FileSystem) find(h nfs.Handle) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.mu.files[string(h)]
	if f != nil {
		f.users++
	}
	return f
}

// findSince is find. fresh says, if there is no file, that there was none since a turn either.
func (s *FileSystem) findSince(h nfs.Handle, since uint64) (f *file, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.mu.files[string(h)]; f != nil {
		f.users++
		return f, true
	}
	return nil, !s.mu.gone.has(h, since)
}

// use returns a file, to be let go, with a slot that it has or is given. Where there are too many it waits until some have no records.
func (s *FileSystem) use(ctx context.Context, h nfs.Handle) (*file, error) {
	for {
		if f := s.find(h); f != nil {
			return f, nil
		}
		if f := s.enter(h); f != nil {
			return f, nil
		}
		if err := s.drain(ctx); err != nil {
			return nil, err
		}
	}
}

// borrow returns a file, to be let go, with a slot that it has, or has until then: there may be more of those, as calls under way are bounded. nil: there
// is none to be had.
func (s *FileSystem) borrow(h nfs.Handle) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.mu.files[string(h)]
	if f == nil {
		if f = s.recall(h); f == nil {
			return nil
		}
		f.leaving = true
	}
	f.users++
	return f
}

// recall gives a file a slot that may be more than there should be: it has records of an earlier life, or is let go soon. nil: there are as many as can
// be. s.mu is held.
func (s *FileSystem) recall(h nfs.Handle) *file {
	f := s.mu.files[string(h)]
	if f == nil && len(s.mu.files) < maxSlots {
		f = s.add(h)
	}
	return f
}

// enter gives a file a slot; nil: there is none.
func (s *FileSystem) enter(h nfs.Handle) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.mu.files[string(h)]
	if f == nil {
		if len(s.mu.files) >= s.opts.MaxFiles && !s.evict() {
			return nil
		}
		f = s.add(h)
	}
	f.users++
	return f
}

// add makes a file, of which only what the filer is asked from now on is news: it may have had a slot before. s.mu is held.
func (s *FileSystem) add(h nfs.Handle) *file {
	s.mu.turn++
	f := &file{handle: append(nfs.Handle(nil), h...), order: semaphore.NewWeighted(alone), ended: s.mu.turn}
	if n := len(s.mu.free); n > 0 {
		f.slot = s.mu.free[n-1]
		s.mu.free = s.mu.free[:n-1]
		s.mu.slots[f.slot] = f
	} else {
		f.slot = int64(len(s.mu.slots))
		s.mu.slots = append(s.mu.slots, f)
	}
	s.mu.files[string(f.handle)] = f
	return f
}

// evict forgets a file that nobody uses and that has no records, if there is one. s.mu is held.
func (s *FileSystem) evict() bool {
	for _, f := range s.mu.files {
		if s.forget(f) {
			return true
		}
	}
	return false
}

// forget takes a file's slot back, unless it is needed. s.mu is held.
func (s *FileSystem) forget(f *file) bool {
	if f.users > 0 || s.mu.dirty[f] || f.isMoving() {
		return false
	}
	s.mu.turn++
	s.mu.gone.add(f.handle, s.mu.turn)
	delete(s.mu.files, string(f.handle))
	s.mu.slots[f.slot] = nil
	s.mu.free = append(s.mu.free, f.slot)
	return true
}

// letGo ends a use.
func (s *FileSystem) letGo(f *file) {
	if f == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.users--; f.leaving {
		s.forget(f)
	}
}

// leave has a file forgotten as soon as nobody needs its slot.
func (s *FileSystem) leave(f *file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.leaving = true
}

// forgetAll takes all slots back that nobody needs, and the others when they are let go: from now on the filer answers for itself.
func (s *FileSystem) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.mu.files {
		f.leaving = !s.forget(f)
	}
}

// at is the file of a slot. It has records there, so it stays.
func (s *FileSystem) at(slot int64) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.slots[slot]
}

// turn says what time it is, for file.see.
func (s *FileSystem) turn() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.turn
}

// next is a new turn.
func (s *FileSystem) next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.turn++
	return s.mu.turn
}

// anyLacked says whether the filer may have lacked something of any file since a turn.
func (s *FileSystem) anyLacked(since uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.dirty) > 0 || s.mu.turn > since
}
