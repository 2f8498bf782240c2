package writeback

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestB5_DrainingEndsInWriteThroughWithNothingLeftAndTheLogVoid(t *testing.T) {
	r := newRig(t, Back)
	r.run()
	stop, all := make(chan struct{}), sync.WaitGroup{}
	for i := range 4 {
		all.Go(func() {
			for n := byte(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r.write(int64(i)*mib, of(n, blk))
			}
		})
	}
	if err := r.SetMode(Through); err != nil {
		t.Fatal(err)
	}
	r.becomes(Through)
	close(stop)
	all.Wait()
	r.end() // the log is void when the destager has looked
	if r.log.voided != r.ledger.base() || r.ledger.base() < 3 {
		t.Errorf("void below %d, the base is %d", r.log.voided, r.ledger.base())
	}
	r.write(0, of('z', blk))
	r.onArray(0, of('z', blk))
	if err := r.SetMode(Back); err != nil {
		t.Fatal(err)
	}
	r.write(0, of('y', blk))
	r.onArray(0, of('z', blk))
	if last := r.log.records[len(r.log.records)-1]; last.Epoch != r.ledger.base() {
		t.Errorf("a record of epoch %d, the base is %d", last.Epoch, r.ledger.base())
	}
}

func TestA2_WriteThroughIsNotEnteredBeforeTheBaseIsRaised(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	r.ledger.fail = errors.New("away")
	r.run()
	if err := r.SetMode(Through); err != nil {
		t.Fatal(err)
	}
	r.settled()
	if got := r.Status(); got.Effective != Draining {
		t.Errorf("%v", got.Effective)
	}
	r.ledger.mu.Lock()
	r.ledger.fail = nil
	r.ledger.mu.Unlock()
	r.becomes(Through)
}

func TestALogThatFailsIsCarriedToTheArrayAndNothingIsLost(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	r.run()
	r.log.mu.Lock()
	r.log.fail = errors.New("i/o error")
	r.log.mu.Unlock()
	r.write(blk, of('b', blk)) // is answered by the array at last
	r.becomes(Through)
	r.onArray(0, append(of('a', blk), of('b', blk)...))
	if err := r.SetMode(Back); err == nil {
		t.Error("write-back begins on a log that has failed")
	}
}

func TestALogThatCannotBeReadTakesTheVolumeOffline(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	r.log.rotten = errors.New("checksum")
	r.run()
	r.becomes(Lost)
	for _, off := range []int64{0, mib} { // of what only the array has, too
		if err := r.ReadAt(t.Context(), make([]byte, blk), off); err == nil {
			t.Errorf("it is read at %d", off)
		}
	}
	if err := r.WriteAt(t.Context(), make([]byte, blk), mib, cachecore.WriteOptions{}); err == nil {
		t.Error("it is written")
	}
}

func TestAnArrayThatIsAwayIsWaitedForAndNothingIsLost(t *testing.T) {
	r := newRig(t, Back)
	away := r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Write, 0))
	r.write(0, of('a', blk))
	r.run()
	go func() { _ = r.sync(t.Context()) }()
	<-away.Arrived()
	away.Release(cachecore.ErrUnavailable)
	r.write(blk, of('b', blk))
	r.settled()
	r.onArray(0, append(of('a', blk), of('b', blk)...))
}

func TestABarrierHoldsTheArrayAsItIs(t *testing.T) {
	r := newRig(t, Back, func(o *Options) { o.IntervalAge = time.Millisecond })
	r.run()
	r.write(0, of('a', blk))
	if err := r.Barrier(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	r.onArray(0, of('a', blk))
	r.write(0, of('b', blk))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := r.sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an interval is carried during the hold: %v", err)
	}
	r.onArray(0, of('a', blk))
	r.Release()
	r.settled()
	r.onArray(0, of('b', blk))
}

func TestAVolatileLogIsFlushedToTheArray(t *testing.T) {
	r := newRig(t, Back, func(o *Options) { o.Durable = false })
	if !r.Info().WriteCache {
		t.Error("it claims to have no write cache")
	}
	r.run()
	r.write(0, of('a', blk))
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.onArray(0, of('a', blk))
	if err := r.WriteAt(t.Context(), of('b', blk), 0, cachecore.WriteOptions{FUA: true}); err != nil {
		t.Fatal(err)
	}
	r.onArray(0, of('b', blk))
}

func TestAFullLogIsWaitedForAndFailsNoWrite(t *testing.T) {
	r := newRig(t, Back, func(o *Options) { o.IntervalSize = 64 << 10 })
	r.log.capacity = 256 << 10
	r.run()
	for i := range 512 {
		r.write(int64(i)*blk, of(byte(i), blk))
	}
	r.settled()
	for i := range 512 {
		r.onArray(int64(i)*blk, of(byte(i), blk))
	}
}
