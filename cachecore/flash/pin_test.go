package flash

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// What was found in memory is read from there, though its region has been written since.
func TestABufferThatIsReadIsNotFilledAgain(t *testing.T) {
	r := rigFor(t, 12, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	var found Found
	list := r.object(k).locate(0, lineBlocks, &found)
	if len(list) != 1 || list[0].buf == nil {
		t.Fatal("it is not in memory")
	}
	r.spill()
	if slices.Contains(r.s.fill.idle, list[0].buf) {
		t.Error("its buffer is for others")
	}
	into, want := make([]byte, lineBytes), make([]byte, lineBytes)
	r.fill(want, k, 0)
	if err := r.s.fetchAll(bg, list, into, &found); err != nil || !found.All(lineBlocks) || string(into) != string(want) {
		t.Errorf("%d of 8 blocks are read: %v", found.count(), err)
	}
	if n := len(r.s.fill.idle); n != buffers {
		t.Errorf("%d of %d buffers are back", n, buffers)
	}
}

// A region that is read is neither given back to the device nor written, whatever comes.
func TestARegionThatIsReadStaysAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 6, Options{})
		k := keyOf(1)
		r.cache(k, 0, lineBlocks)
		r.spill()
		from, to := offset(r.s.layout.block(0, 0)), offset(r.s.layout.block(1, 0))
		gate, reading, again := make(chan struct{}), atomic.Bool{}, atomic.Bool{}
		r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
			switch inside := c.Off >= from && c.Off < to; {
			case inside && c.Kind == devicetest.Read && reading.CompareAndSwap(false, true):
				<-gate
				reading.Store(false)
			case inside && c.Kind != devicetest.Read && reading.Load():
				t.Errorf("a %v while the region is read", c.Kind)
			case inside && c.Kind == devicetest.Write:
				again.Store(true)
			}
			return devicetest.Fault{}
		})
		read := make(chan int, 1)
		go func() { read <- r.check(k, 0, lineBlocks) }()
		synctest.Wait()
		other := r.object(keyOf(2))
		come := func() {
			for line := range 12 {
				b := other.PrepareHot(blockOf(line), lineBlocks)
				for i := range lineBlocks {
					if p := b.Bytes(i); p != nil {
						r.fill(p, other.key, blockOf(line)+cachecore.Block(i))
					}
				}
				b.Publish()
				synctest.Wait()
			}
		}
		come()
		if !reading.Load() || again.Load() {
			t.Fatal("the read is over")
		}
		close(gate)
		if n := <-read; n != lineBlocks || r.s.Stats().Mismatches != 0 {
			t.Errorf("%d blocks read, %d of them wrong", n, r.s.Stats().Mismatches)
		}
		synctest.Wait()
		for range 4 {
			come()
		}
		if !again.Load() {
			t.Error("the region is never used again")
		}
		r.close()
	})
}
