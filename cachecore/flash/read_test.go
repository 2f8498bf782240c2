package flash

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// Who reads waits no longer than he wants for a device that doesn't answer, and what it answers later harms nobody.
func TestWhoReadsWaitsNoLongerThanHeWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 12, Options{})
		k := keyOf(1)
		r.cache(k, 0, 4*lineBlocks)
		r.spill()
		release := r.hold(devicetest.Read)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		start := time.Now()
		p := make([]byte, 4*lineBytes)
		found, err := r.object(k).Read(ctx, 0, 4*lineBlocks, p)
		if !errors.Is(err, context.DeadlineExceeded) || found.count() != 0 || time.Since(start) != time.Second {
			t.Errorf("after %v: %d blocks, %v", time.Since(start), found.count(), err)
		}
		read := make(chan int, 1)
		go func() { read <- r.check(k, 0, 4*lineBlocks) }()
		synctest.Wait()
		release()
		if n, st := <-read, r.s.Stats(); n != 4*lineBlocks || st.Mismatches != 0 || st.Failed {
			t.Errorf("then %d blocks are read, %+v", n, st)
		}
		r.close()
	})
}

// A block that is misread has its line forgotten, for good: it isn't tried again.
func TestALineThatIsMisreadIsForgotten(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 2*lineBlocks)
	r.spill()
	at := offset(r.s.layout.block(0, 3))
	r.twin.Flip(at, 1)
	if n := r.check(k, 0, 2*lineBlocks); n != 2*lineBlocks-1 {
		t.Errorf("%d blocks are read", n)
	}
	r.twin.Flip(at, 1)
	found := r.object(k).Contains(0, 2*lineBlocks)
	if n := r.check(k, 0, 2*lineBlocks); n != lineBlocks || found.count() != n || r.s.Stats().Mismatches != 1 {
		t.Errorf("then %d blocks are read, %d of them were said to be here; %d mismatches", n, found.count(), r.s.Stats().Mismatches)
	}
}

func TestAReadIsNoLongerThanItMayBe(t *testing.T) {
	o := rigFor(t, 8, Options{}).object(keyOf(1))
	p := make([]byte, (MaxRead+1)*blockSize)
	for _, c := range []struct{ n, room int }{{-1, blockSize}, {MaxRead + 1, len(p)}, {2, 2*blockSize - 1}} {
		if _, err := o.Read(bg, 0, c.n, p[:c.room]); err == nil {
			t.Errorf("%d blocks are read into %d bytes", c.n, c.room)
		}
	}
}

// Blocks that have no line are never here, and those before are.
func TestTheLastBlocksOfAnObject(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, Blocks-lineBlocks, lineBlocks)
	for _, n := range []cachecore.Block{0, 1, 1 << 40} {
		if r.offer(k, Blocks+n, 1)+r.offer(k, Blocks+n, 1) != 0 {
			t.Errorf("block %d behind the last is taken", n)
		}
		if !r.object(k).InvalidateNow(Blocks+n, 3) {
			t.Errorf("a write to block %d behind the last waits", n)
		}
	}
	if n := r.check(k, Blocks-lineBlocks, 2*lineBlocks); n != lineBlocks {
		t.Errorf("%d blocks are found at the end", n)
	}
	r.write(k, Blocks-2, 4)
	if n := r.check(k, Blocks-lineBlocks, 2*lineBlocks); n != lineBlocks-2 {
		t.Errorf("%d blocks are found at the end after a write to two", n)
	}
}

// What an administrator reads is what has happened.
func TestStatsTellWhatHasHappened(t *testing.T) {
	r := rigFor(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 13) // a region
	r.spill()
	r.check(k, 0, 20)
	r.write(k, 0, 3)
	st := r.s.Stats()
	if want := uint64(13+1) * blockSize; st.WrittenBytes != want {
		t.Errorf("%d bytes are written, %d of them said to be", want, st.WrittenBytes)
	}
	if st.Hits != 13 || st.Misses != 7 || st.Admitted != 13 || st.UsedBytes != 10*blockSize || st.Marks != 1 || st.Objects != 1 {
		t.Errorf("%+v", st)
	}
	if st.Regions != 8 || st.Free != 7 || st.Bytes != 8*13*blockSize || st.Failed {
		t.Errorf("%+v", st)
	}
	r.s.health.fail(errBroken)
	if st = r.s.Stats(); !st.Failed || st.UsedBytes != 0 {
		t.Errorf("once it has failed: %+v", st)
	}
}
