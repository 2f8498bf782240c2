package directory

import (
	"container/list"
	"sync"
	"time"

	"forebay/protocols/nfs"
)

const (
	maxOpenFiles = 256
	maxIdle      = 5 * time.Second // an open file keeps the space of a removed one, and from being executed if for writing
)

// files are the regular files that are kept open between calls, the last used ones. They are root's: who may use them is for each call
// to check.
type files struct {
	open func(key fileKey) (*object, error)
	sync syncer

	mu struct {
		sync.Mutex
		byKey map[fileKey]*file
		order list.List // of *file, the one used last in front
		timer *time.Timer
		shut  bool
	}
	sweeping sync.WaitGroup
}

type fileKey struct {
	handle string
	write  bool
}

// file is an open file. Its descriptor stays until nobody uses it.
type file struct {
	object // its stat is that of when it was opened
	key    fileKey
	place  *list.Element // nil: no longer kept
	users  int
	used   time.Time
	syncs  syncs
}

// get opens a file, or returns it as it is open. The caller puts it back.
func (s *files) get(h nfs.Handle, write bool) (*file, error) {
	s.mu.Lock()
	f := s.mu.byKey[fileKey{string(h), write}]
	if f != nil {
		f.users++
		s.mu.order.MoveToFront(f.place)
	}
	s.mu.Unlock()
	if f != nil {
		return f, nil
	}
	key := fileKey{string(h), write}
	o, err := s.open(key)
	if err != nil {
		return nil, err
	}
	return s.add(&file{object: *o, key: key, users: 1}), nil
}

// add keeps a file, unless another goroutine has been faster, whose file is returned then.
func (s *files) add(f *file) *file {
	var idle []*file
	defer func() { s.end(idle) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.mu.byKey[f.key]; other != nil {
		other.users++
		idle = append(idle, f)
		return other
	}
	if s.mu.byKey == nil {
		s.mu.byKey = make(map[fileKey]*file)
	}
	s.mu.byKey[f.key] = f
	f.place = s.mu.order.PushFront(f)
	idle = s.expire(func(*file) bool { return s.mu.order.Len() > maxOpenFiles })
	if s.mu.timer == nil {
		s.mu.timer = time.AfterFunc(maxIdle, s.sweep)
	}
	return f
}

// expire takes out the files used longest ago, while they are to go, and returns those that nobody uses. s.mu is held.
func (s *files) expire(goes func(*file) bool) (idle []*file) {
	for e := s.mu.order.Back(); e != nil && goes(e.Value.(*file)); e = s.mu.order.Back() {
		if f := e.Value.(*file); s.remove(f) {
			idle = append(idle, f)
		}
	}
	return idle
}

// remove takes a file out, and says whether it is to be ended: else who puts it back last does. s.mu is held.
func (s *files) remove(f *file) bool {
	delete(s.mu.byKey, f.key)
	s.mu.order.Remove(f.place)
	f.place = nil
	return f.users == 0
}

// put gives a file back.
func (s *files) put(f *file) {
	s.mu.Lock()
	f.users--
	f.used = time.Now()
	last := f.users == 0 && f.place == nil
	s.mu.Unlock()
	if last {
		s.end([]*file{f})
	}
}

// forget closes a file that is removed.
func (s *files) forget(h nfs.Handle) {
	var idle []*file
	s.mu.Lock()
	for _, write := range []bool{false, true} {
		if f := s.mu.byKey[fileKey{string(h), write}]; f != nil && s.remove(f) {
			idle = append(idle, f)
		}
	}
	s.mu.Unlock()
	s.end(idle)
}

// sweep closes what hasn't been used for a while.
func (s *files) sweep() {
	limit := time.Now().Add(-maxIdle)
	s.mu.Lock()
	if s.mu.shut {
		s.mu.Unlock()
		return
	}
	idle := s.expire(func(f *file) bool { return f.users == 0 && !f.used.After(limit) })
	s.mu.timer = nil
	if s.mu.order.Len() > 0 {
		s.mu.timer = time.AfterFunc(maxIdle, s.sweep)
	}
	s.sweeping.Add(1)
	s.mu.Unlock()
	defer s.sweeping.Done()
	s.end(idle)
}

// close closes all; nobody uses any.
func (s *files) close() {
	s.mu.Lock()
	s.mu.shut = true
	if s.mu.timer != nil {
		s.mu.timer.Stop()
	}
	idle := s.expire(func(*file) bool { return true })
	s.mu.Unlock()
	s.end(idle)
	s.sweeping.Wait()
}

// end closes files that nobody uses. What was written to them and not made durable is so then: once they are closed, the kernel may forget
// that it couldn't.
func (s *files) end(idle []*file) {
	for _, f := range idle {
		if f.syncs.unstable.Load() {
			_ = s.sync.file(f, false) // the verifier has been changed
		}
		f.close()
	}
}
