package writeback

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"forebay/cachecore/writelog"
)

// stopping is a log whose first AppendLater, under its array's lock, waits.
type stopping struct {
	*memLog
	arrived, goOn chan struct{}
}

func (l *stopping) AppendLater(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	if r.Seq == 1 {
		close(l.arrived)
		<-l.goOn
	}
	return l.Append(r, data, done)
}

// inLine waits until a function of the package waits for a lock.
func inLine(function string) {
	for stacks := make([]byte, mib); ; runtime.Gosched() {
		for one := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(one, "[sync.Mutex.Lock") && strings.Contains(one, function) {
				return
			}
		}
	}
}

// Writes go on all the time. Those that come after a barrier, however soon, are not waited for: the hold would be over by then, and the array no longer in the
// state that the barrier was for.
func TestABarrierDoesNotWaitForWritesThatComeAfterIt(t *testing.T) {
	for range 5 { // now and then the lock takes another turn
		barrierBeforeWrite(t)
	}
}

func barrierBeforeWrite(t *testing.T) {
	t.Helper()
	l := &stopping{arrived: make(chan struct{}), goOn: make(chan struct{})}
	r := newRig(t, Back, func(o *Options) {
		l.memLog = o.Log.(*memLog)
		o.Log, o.IntervalAge = l, time.Millisecond
	})
	r.run()
	defer r.end()
	go func() {
		r.Launch(of('a', blk), 0, func(error) {})
		r.mu.Lock() // before who is next has woken up: from now on the lock is handed on in turn, as it is where many write
		for taken := time.Now(); time.Since(taken) < 3*time.Millisecond; {
			runtime.Gosched()
		}
		r.mu.Unlock()
	}()
	<-l.arrived
	barrier, launched := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	go func() { barrier <- r.Barrier(ctx, time.Hour) }()
	inLine("(*Array).Barrier")
	go r.Launch(of('b', blk), 0, func(err error) { launched <- err })
	inLine("(*Array).Launch")
	close(l.goOn)
	if err := <-barrier; err != nil {
		t.Fatal(err)
	}
	if err := <-launched; err != nil {
		t.Fatal(err)
	}
}
