package volume

import (
	"context"
	"errors"
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// launching is an array that takes writes without having their callers wait, and does them in a Kick, in their order.
type launching struct {
	*arraytest.Mem
	refuse bool // what Launchable would take after all
	fail   int  // so many writes are told that they have failed

	mu      sync.Mutex
	queue   []taken
	kicking bool
}

type taken struct {
	p    []byte
	off  int64
	done func(error)
}

var (
	_         cachecore.Launcher = (*launching)(nil)
	errBroken                    = errors.New("the log has failed")
)

func (l *launching) Launchable(int) bool { return true }

func (l *launching) Launch(p []byte, off int64, done func(error)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse {
		return false
	}
	l.queue = append(l.queue, taken{p, off, done})
	return true
}

// Kick does one thing after the other: who is told in a Kick, and kicks, is served by the one under way.
func (l *launching) Kick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kicking {
		return
	}
	l.kicking = true
	for len(l.queue) > 0 {
		x := l.queue[0]
		l.queue = l.queue[1:]
		failed := l.fail > 0
		l.fail = max(0, l.fail-1)
		l.mu.Unlock()
		err := errBroken
		if !failed {
			err = l.WriteAt(context.Background(), x.p, x.off, cachecore.WriteOptions{})
		}
		x.done(err)
		l.mu.Lock()
	}
	l.kicking = false
}

// waiting is how many writes a kick would do.
func (l *launching) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// newLaunchRig is a rig over such an array.
func newLaunchRig(t tester, w wishes) (*rig, *launching) {
	l := &launching{}
	w.array = func(m *arraytest.Mem) cachecore.Array {
		l.Mem = m
		return l
	}
	return newRig(t, w), l
}
