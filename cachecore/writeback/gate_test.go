package writeback

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// slowLedger is a ledger that takes its time.
type slowLedger struct {
	*ledger
	asked, answer chan struct{}
}

func (l *slowLedger) Raise(ctx context.Context) (cachecore.Epoch, error) {
	close(l.asked)
	<-l.answer
	return l.ledger.Raise(ctx)
}

// What is logged while the base is raised would be below it: acknowledged, and void. Whoever was let go on before that is held, too (PROTOCOL A2).
func TestA2_NothingIsLoggedWhileTheBaseIsRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slowLedger{asked: make(chan struct{}), answer: make(chan struct{})}
		r := newRig(t, Back, func(o *Options) {
			l.ledger = o.Ledger.(*ledger)
			o.Ledger = l
		})
		r.run()
		if !r.Launchable(blk) {
			t.Fatal("nothing is launched")
		}
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		<-l.asked
		if r.Launch(of('a', blk), 0, func(err error) { t.Errorf("a write that was launched ends with %v", err) }) {
			t.Error("a write is launched")
		}
		written := make(chan error, 1)
		go func() { written <- r.WriteAt(context.Background(), of('b', blk), blk, cachecore.WriteOptions{}) }()
		synctest.Wait()
		if n := len(r.log.records); n > 0 || len(written) > 0 {
			t.Errorf("%d records are logged, %d writes answered", n, len(written))
		}
		close(l.answer)
		if err := <-written; err != nil {
			t.Error(err)
		}
		r.onArray(blk, of('b', blk))
		r.end()
	})
}

// Nor is the base raised before it is known what has become of a record that was on its way into the log when writes were held.
func TestA2_TheBaseIsNotRaisedBeforeARecordThatIsUnderWay(t *testing.T) {
	held(t, func(t *testing.T, r *rig) {
		r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
			if op.Kind == arraytest.Write && at == arraytest.Before {
				time.Sleep(10 * time.Millisecond) // so that a rate is known, and it takes little time to carry the record
			}
			return nil
		})
		r.write(0, of('a', mib))
		r.settled()
		r.log.mu.Lock()
		r.log.holding = true
		r.log.mu.Unlock()
		written := make(chan error, 1)
		go func() { written <- r.WriteAt(context.Background(), of('b', blk), 0, cachecore.WriteOptions{}) }()
		synctest.Wait()
		base := r.ledger.base()
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if now := r.ledger.base(); now != base || r.state() != Draining {
			t.Errorf("the base is %d, was %d, and it is %v", now, base, r.state())
		}
		r.log.held[0]()
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		r.after(time.Second, of('b', blk))
		if r.state() != Through {
			t.Errorf("it stays %v", r.state())
		}
	})
}

// deafLedger raises the base, and its answers are lost while it is deaf.
type deafLedger struct {
	*ledger
	deaf atomic.Bool
}

func (l *deafLedger) Raise(ctx context.Context) (cachecore.Epoch, error) {
	epoch, err := l.ledger.Raise(ctx)
	if l.deaf.Load() {
		return 0, errors.New("no answer")
	}
	return epoch, err
}

// The base may have been raised though that is said to have failed: what is logged then is void. So writes are held until it is known, also where
// write-back is asked for again meanwhile (PROTOCOL A2).
func TestA2_NothingIsLoggedWhileNobodyKnowsTheBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(deafLedger)
		r := newRig(t, Back, func(o *Options) {
			l.ledger = o.Ledger.(*ledger)
			o.Ledger = l
		})
		r.run()
		l.deaf.Store(true)
		base := r.ledger.base()
		if err := r.SetMode(Through); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.ledger.base() == base {
			t.Fatal("the base is not raised")
		}
		if err := r.SetMode(Back); err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() { written <- r.WriteAt(context.Background(), of('b', blk), 0, cachecore.WriteOptions{}) }()
		time.Sleep(10 * time.Second)
		if n := len(r.log.records); n > 0 || len(written) > 0 {
			t.Errorf("%d records are logged, %d writes answered", n, len(written))
		}
		l.deaf.Store(false)
		if err := <-written; err != nil {
			t.Error(err)
		}
		if rs := r.log.records; len(rs) != 1 || rs[0].Epoch != r.ledger.base() {
			t.Errorf("%d records, the base is %d", len(rs), r.ledger.base())
		}
		r.end()
	})
}
