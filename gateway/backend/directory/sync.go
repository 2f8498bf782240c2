package directory

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// syncer makes files durable. The kernel tells once per descriptor that it couldn't write data back, so of each file one run follows
// the other, and lost is told before the next begins: who finds nothing wrong finds the verifier changed.
type syncer struct {
	lost    func(cause error)
	running [1024]sync.Mutex // by file number; held by a run
}

// syncs are the runs of an open file: one serves everybody who has asked for one before it began.
type syncs struct {
	unstable atomic.Bool // something was written since the last run began

	mu struct {
		sync.Mutex
		next *syncRun // not begun; nil: nobody waits
	}
}

type syncRun struct {
	once sync.Once
	full bool // with times; guarded by mu
	err  error
}

// file makes all that was written to a file durable, and with full all of its attributes.
func (s *syncer) file(f *file, full bool) error {
	m := &f.syncs.mu
	m.Lock()
	if m.next == nil {
		m.next = new(syncRun)
	}
	run := m.next
	run.full = run.full || full
	m.Unlock()
	run.once.Do(func() { run.err = s.run(f) })
	return run.err
}

// run begins the next run, of which no more may ask for, and does it.
func (s *syncer) run(f *file) error {
	running := &s.running[f.stat.Ino%uint64(len(s.running))]
	running.Lock()
	defer running.Unlock()
	f.syncs.mu.Lock()
	full := f.syncs.mu.next.full
	f.syncs.mu.next = nil
	f.syncs.mu.Unlock()
	f.syncs.unstable.Store(false)
	flush := unix.Fdatasync
	if full {
		flush = unix.Fsync
	}
	err := flush(f.fd)
	if err != nil {
		s.lost(err)
	}
	return err
}
