package target

import (
	"context"
	"sync"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// launching is a store that launches writes: they wait for a kick, which does them, or begins them.
type launching struct {
	*scsitest.Mem
	refuse bool             // it launches nothing
	under  chan *underWay   // nil: a kick does them; else it puts them here
	slow   func(*underWay)  // if set, has those that are kicked, in a goroutine of their own, instead
	mu     sync.Mutex       // of what follows
	queue  []*underWay      // waiting for a kick
	kicks  int              // that found something
	calls  map[string]int   // of Write and LaunchWrite
	seen   func(kicked int) // if set, is told how many writes a kick does, before
}

// underWay is a write that was launched.
type underWay struct {
	store *launching
	ctx   context.Context
	p     []byte
	off   int64
	done  func(error)
}

func newLaunching() *launching {
	return &launching{Mem: scsitest.NewMem(diskSize), calls: map[string]int{}}
}

// finish does the write, or ends it with an error.
func (w *underWay) finish(err error) {
	if err == nil {
		err = w.store.Mem.Write(context.Background(), w.p, w.off, false)
	}
	w.done(err)
}

func (s *launching) LaunchWrite(ctx context.Context, p []byte, off int64, done func(error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse {
		return false
	}
	s.calls["launch"]++
	s.queue = append(s.queue, &underWay{s, ctx, p, off, done})
	return true
}

func (s *launching) Write(ctx context.Context, p []byte, off int64, fua bool) error {
	s.mu.Lock()
	s.calls["write"]++
	s.mu.Unlock()
	return s.Mem.Write(ctx, p, off, fua)
}

func (s *launching) KickWrites() {
	s.mu.Lock()
	list := s.queue
	if s.queue = nil; len(list) > 0 {
		s.kicks++
	}
	s.mu.Unlock()
	if s.seen != nil && len(list) > 0 {
		s.seen(len(list))
	}
	for _, w := range list {
		switch {
		case s.under != nil:
			s.under <- w
		case s.slow != nil:
			go s.slow(w)
		default:
			w.finish(nil)
		}
	}
}

// called says how often the store was asked for something.
func (s *launching) called(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == "kick" {
		return s.kicks
	}
	return s.calls[what]
}

// newLaunchRig is a rig whose unit launches writes.
func newLaunchRig(t testing.TB, s *launching, change ...func(r *rig, s *setup)) *rig {
	t.Helper()
	return newRig(t, append(change, func(r *rig, u *setup) { u.store, r.store = s, s.Mem })...)
}

// heldRig is one whose launched writes are the test's to finish.
func heldRig(t testing.TB, change ...func(r *rig, s *setup)) (*rig, *launching) {
	t.Helper()
	s := newLaunching()
	s.under = make(chan *underWay, 1024)
	return newLaunchRig(t, s, change...), s
}

// good sees that the next PDU answers a tag with GOOD.
func (c *raw) good(tag uint32) {
	c.t.Helper()
	if p := c.expect(iscsi.OpSCSIResponse); p.InitiatorTag() != tag || p.Status() != byte(scsi.StatusGood) || p.Residual() != 0 {
		c.t.Errorf("instead of the answer to %d: % x", tag, []byte(p.Header))
	}
}

// fullWindow sees that all places of the command window are free.
func (c *raw) fullWindow() {
	c.t.Helper()
	if width, _ := c.window(); width != 112 {
		c.t.Errorf("the window is %d wide", width)
	}
}
