package flash

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// Who wanted a tier to shrink has given up, and it grows again: what is in use beyond stays as it is.
func TestATierGrowsAgainThatCouldNotShrink(t *testing.T) {
	for name, prepare := range map[string]func(r *rig) (release func()){
		"as a region is being filled": func(r *rig) func() {
			batch := r.object(keyOf(2)).PrepareHot(0, 1)
			return func() {
				r.fill(batch.Bytes(0), keyOf(2), 0)
				batch.Publish()
			}
		},
		"as a footer is not erased": func(r *rig) func() { return r.hold(devicetest.WriteDurable) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 12, Options{})
				k := keyOf(1)
				spread(7, func(first cachecore.Block) { r.cache(k, first, lineBlocks) })
				r.spill()
				release := prepare(r)
				ctx, cancel := context.WithCancel(bg)
				resized := make(chan error, 2)
				go func() { resized <- r.s.Resize(ctx, small(minSlots)) }()
				synctest.Wait()
				cancel()
				if err := <-resized; !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				go func() { resized <- r.s.Resize(bg, small(12)) }()
				synctest.Wait()
				release()
				if err := <-resized; err != nil {
					t.Fatal(err)
				}
				r.once()
				spread(9, func(first cachecore.Block) {
					r.cache(keyOf(3), first, lineBlocks)
					r.check(keyOf(3), first, lineBlocks)
				})
				r.quiet()
				r.once()
				if st := r.s.Stats(); st.Mismatches != 0 {
					t.Errorf("%d blocks were written over", st.Mismatches)
				}
				r.close()
			})
		})
	}
}

// A region is taken out by one at a time.
func TestARegionIsVacatedWhenNoneIsReclaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 12, Options{})
		f, gate, regions := &r.s.fill, make(chan struct{}), offset(r.s.layout.first)
		for line := 0; len(f.free) > 3; line++ {
			r.cache(keyOf(1), blockOf(line), lineBlocks)
			r.quiet()
		}
		var mu sync.Mutex
		held, erased := false, 0
		written := map[uint32]bool{} // slots whose footer is to come
		r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
			mu.Lock()
			floor := c.Kind == devicetest.WriteDurable && c.Off < regions
			switch slot := r.s.layout.slotOf(uint32(c.Off / blockSize)); {
			case floor:
				held = true
			case c.Kind == devicetest.Write:
				written[slot] = true
			case c.Kind == devicetest.WriteDurable && !written[slot]:
				erased++
			case c.Kind == devicetest.WriteDurable:
				delete(written, slot)
			}
			mu.Unlock()
			if floor {
				<-gate
			}
			return devicetest.Fault{}
		})
		seen := func() (bool, int) {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return held, erased
		}
		for line := 100; ; line++ {
			r.offer(keyOf(1), blockOf(line), lineBlocks)
			r.offer(keyOf(1), blockOf(line), lineBlocks)
			if begun, _ := seen(); begun {
				break
			}
		}
		resized := make(chan error, 1)
		go func() { resized <- r.s.Resize(bg, small(minSlots)) }()
		if _, n := seen(); n != 0 {
			t.Error("a footer is erased while another region is on its way out")
		}
		close(gate)
		if err := <-resized; err != nil {
			t.Error(err)
		}
		r.quiet()
		if _, n := seen(); n == 0 {
			t.Error("no footer is erased")
		}
		r.once()
		r.close()
	})
}

func TestAFailureEndsAResizeThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 12, Options{})
		spread(6, func(first cachecore.Block) { r.cache(keyOf(1), first, lineBlocks) })
		r.spill()
		batch := r.object(keyOf(2)).PrepareHot(0, 1) // in a region beyond
		resized := make(chan error, 1)
		go func() { resized <- r.s.Resize(bg, small(5)) }()
		synctest.Wait()
		if len(resized) != 0 {
			t.Fatal("it waits for nobody")
		}
		r.s.health.fail(errBroken)
		if err := <-resized; !errors.Is(err, ErrFailed) {
			t.Error(err)
		}
		batch.Abandon()
		_ = r.s.Close(bg)
	})
}

// A reclaim that has failed leaves the turn to others, who are told.
func TestAResizeBehindAReclaimThatFailedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		regions := offset(r.s.layout.first)
		r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
			if c.Kind == devicetest.WriteDurable && c.Off < regions { // the floor
				return devicetest.Fault{Err: errBroken}
			}
			return devicetest.Fault{}
		})
		for line := 0; r.s.Err() == nil; line++ {
			r.cache(keyOf(1), blockOf(line), lineBlocks)
			r.quiet()
		}
		if err := r.s.Resize(bg, small(minSlots)); !errors.Is(err, ErrFailed) {
			t.Error(err)
		}
		_ = r.s.Close(bg)
	})
}
