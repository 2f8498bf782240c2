package writeback

import (
	"context"
	"sync/atomic"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writelog"
)

// restarting is an array that tells when it may have forgotten what it was not asked to flush.
type restarting struct {
	*arraytest.Mem
	life atomic.Uint64
}

func (r *restarting) Life() uint64 { return r.life.Load() }

// The array restarts between the writes of an interval and its flush, which succeeds, and covers nothing of them.
func TestE1_AFlushOfANewLifeCoversNothingOfTheOldOne(t *testing.T) {
	var below *restarting
	r := newRig(t, Back, func(o *Options) {
		below = &restarting{Mem: o.Array.(*arraytest.Mem)}
		o.Array = below
	})
	r.write(0, of('a', blk))
	flush := r.mem.Hold(arraytest.Before, flushes)
	r.run()
	done := make(chan error)
	go func() { done <- r.sync(context.Background()) }()
	<-flush.Arrived()
	r.mem.Crash(func(int64) bool { return false })
	below.life.Add(1)
	flush.Release(nil)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.mem.Crash(func(int64) bool { return false })
	r.onArray(0, of('a', blk))
}

func TestMovedRecordsAreReadWhereTheyAre(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	r.log.mu.Lock()
	r.log.records = append(r.log.records, r.log.records[0])
	r.log.records[0].data = of('x', blk) // where it was, something else may lie by now
	r.log.mu.Unlock()
	r.Moved(1, 1)
	r.expect(0, of('a', blk))
	r.run()
	r.settled()
	r.onArray(0, of('a', blk))
}

var _ cachecore.Array = (*restarting)(nil)

// moving is a log that moves what is about to be read.
type moving struct {
	*memLog
	move func() // once
}

func (l *moving) ReadAt(p []byte, at writelog.Position, skip int64) error {
	if move := l.move; move != nil {
		l.move = nil
		move()
		return writelog.ErrGone
	}
	return l.memLog.ReadAt(p, at, skip)
}

// A record that moves between the look into the index and that into the log is looked for again, by readers and by the destager.
func TestARecordThatMovesMeanwhileIsFoundAgain(t *testing.T) {
	var l *moving
	r := newRig(t, Back, func(o *Options) {
		l = &moving{memLog: o.Log.(*memLog)}
		o.Log = l
	})
	r.write(0, of('a', blk))
	r.log.records = append(r.log.records, r.log.records[0])
	l.move = func() { r.Moved(1, 1) }
	r.expect(0, of('a', blk))
	l.move = func() { r.Moved(1, 0) }
	r.run()
	r.settled()
	r.onArray(0, of('a', blk))
}
