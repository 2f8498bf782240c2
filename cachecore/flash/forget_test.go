package flash

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// Two have brought the same block at the same time, and the copy that is found leaves with its region, out of turn: the older one has to be marked,
// as who writes to the block finds nothing of it in the index.
func TestG3_AnOlderCopyIsNotRevivedWhenTheNewerIsVacated(t *testing.T) {
	for name, c := range map[string]struct {
		markLost bool // as the gateway is killed before
		restart  func(r *rig)
	}{
		"in the same life":                     {false, func(*rig) {}},
		"after a crash":                        {false, (*rig).cut},
		"after an end":                         {false, func(r *rig) { r.close(); r.open() }},
		"after a crash that overtook the mark": {true, (*rig).cut},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 12, Options{})
			ledger := offset(r.s.layout.first)
			k := keyOf(1)
			r.cache(keyOf(2), 0, 3*lineBlocks) // in the first three regions
			r.quiet()
			older, newer := r.object(k).PrepareHot(0, lineBlocks), r.object(k).PrepareHot(0, lineBlocks)
			for i := range lineBlocks {
				r.fill(older.Bytes(i), k, cachecore.Block(i))
				r.fill(newer.Bytes(i), k, cachecore.Block(i))
			}
			older.Publish()
			r.quiet()
			r.twin.OnCall(func(call devicetest.Call) devicetest.Fault {
				return devicetest.Fault{Lost: c.markLost && call.Kind == devicetest.WriteDurable && call.Off < ledger}
			})
			newer.Publish()
			r.spill()
			c.restart(r)
			if n := r.check(k, 0, lineBlocks); n != lineBlocks {
				t.Fatalf("%d blocks are found", n)
			}
			if err := r.s.Resize(bg, small(minSlots)); err != nil {
				t.Fatal(err)
			}
			r.write(k, 0, lineBlocks)
			r.cut()
			if n := r.check(k, 0, lineBlocks); n != 0 {
				t.Fatalf("%d blocks of before are back", n)
			}
			r.close()
		})
	}
}

// A write that comes while an object is being dropped finds nothing of it any more, and so has to wait for the mark of the whole.
func TestG3_AWriteWhileAnObjectIsDroppedWaitsForTheMark(t *testing.T) {
	r := rigFor(t, 1300, Options{}) // the index has several shards
	k := keyOf(1)
	o := r.object(k)
	var first cachecore.Block
	for extent := uint32(0); r.s.shardOf(o.hash, extent) == r.s.shardOf(o.hash, wholeObject); extent++ {
		first = blockOf(int(extent+1) * extentLines)
	}
	r.cache(k, first, lineBlocks)
	r.spill()
	gate, id := make(chan struct{}), o.id.Load()
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.WriteDurable {
			<-gate
		}
		return devicetest.Fault{}
	})
	whole := r.s.shardOf(o.hash, wholeObject)
	whole.mu.Lock() // the drop can't make its mark
	dropped := make(chan error, 1)
	go func() { dropped <- o.Drop(bg) }()
	for begun := false; !begun; runtime.Gosched() {
		_, known := r.s.objects.get(id)
		begun = !known
	}
	for range 10000 { // and who asks once it has another number is told that it takes a mark
		if o.id.Load() == id {
			runtime.Gosched()
			continue
		}
		if o.InvalidateNow(first, lineBlocks) {
			t.Error("a write goes, and what it writes to may come back")
		}
		break
	}
	whole.mu.Unlock()
	close(gate)
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
}

// Whenever a write comes while a region is written: its footer, which comes later, doesn't have what was written to, or a mark does.
func TestG3_AWriteWhileAFooterIsComposedIsMarked(t *testing.T) {
	k := keyOf(1)
	for round := range 100 {
		r := newRig(t, minSlots, Options{})
		o := r.object(k)
		r.cache(k, 0, lineBlocks)
		r.quiet()
		synced, written, come := make(chan struct{}), make(chan error, 1), false
		r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
			if c.Kind == devicetest.Sync && !come {
				come = true
				close(synced)
			}
			return devicetest.Fault{}
		})
		go func() {
			<-synced
			for range round * 10 {
				runtime.KeepAlive(o)
			}
			written <- o.Invalidate(bg, 3, 1)
		}()
		r.spill()
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		r.set(k, 3, 1)
		r.cut()
		r.check(k, 0, lineBlocks)
		r.close()
	}
}

func TestAPowerCutAfterACleanEndLeavesEverythingWarm(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 4*lineBlocks)
	r.spill()
	r.write(k, 3, 2)
	was := r.check(k, 0, 4*lineBlocks)
	r.close()
	r.twin.Crash(r.twin.Events()).Each(1, nil, func(image []byte) bool {
		r.twin = devicetest.FromImage(image)
		return false
	})
	r.open()
	if n := r.check(k, 0, 4*lineBlocks); n != was || was != 4*lineBlocks-2 {
		t.Fatalf("%d blocks, and %d before", n, was)
	}
	r.close()
}

// Where all is read again and again, what comes finds room all the same.
func TestHalfARegionAtMostIsWrittenAgain(t *testing.T) {
	r := newRig(t, 8, Options{})
	var left atomic.Int64 // regions
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Discard {
			left.Add(1)
		}
		return devicetest.Fault{}
	})
	k := keyOf(1)
	const part = lineBlocks / 2 // three go into a region
	for line := range 60 {
		r.cache(k, blockOf(line), part)
		r.quiet()
		for hot := range line + 1 {
			r.check(k, blockOf(hot), part)
		}
	}
	if n, most := r.s.Stats().Reinserted, uint64(left.Load())*lineBlocks; n > most || n < most/2 {
		t.Errorf("%d blocks were written again of %d regions that left", n, left.Load())
	}
	r.close()
}

func TestARegionIsDiscardedAsAWholeBeforeItIsWrittenAgain(t *testing.T) {
	r := newRig(t, 6, Options{})
	regions, span := offset(r.s.layout.first), offset(r.s.layout.regionBlocks)
	var mu sync.Mutex
	used, again := map[int64]bool{}, 0
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		slot := (c.Off - regions) / span
		switch {
		case c.Kind == devicetest.Discard && (c.Off-regions)%span == 0 && c.Len == span:
			delete(used, slot)
			again++
		case c.Kind == devicetest.Discard:
			t.Errorf("%d bytes at %d are discarded", c.Len, c.Off)
		case c.Kind == devicetest.Write && c.Off >= regions:
			if used[slot] {
				t.Errorf("region %d is written over", slot)
			}
			used[slot] = true
		}
		return devicetest.Fault{}
	})
	for line := range 20 {
		r.cache(keyOf(1), blockOf(line), lineBlocks)
	}
	r.quiet()
	r.twin.OnCall(nil) // the end writes beside
	if again < 10 {
		t.Errorf("%d regions were discarded", again)
	}
	r.close()
}

func TestADeviceThatCannotDiscardIsAskedOnce(t *testing.T) {
	r := newRig(t, 6, Options{})
	asked := 0
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind != devicetest.Discard {
			return devicetest.Fault{}
		}
		asked++
		return devicetest.Fault{Err: device.ErrUnsupported}
	})
	for line := range 20 {
		r.cache(keyOf(1), blockOf(line), lineBlocks)
	}
	r.quiet()
	if r.check(keyOf(1), blockOf(19), lineBlocks) != lineBlocks || asked != 1 {
		t.Errorf("it is asked %d times", asked)
	}
	r.close()
}

// Who has a file's cache dropped may give the handle back while somebody else's drop by it is on its way: nobody is left who uses the object.
func TestAHandleThatIsGivenBackDuringADropIsGivenBack(t *testing.T) {
	r := rigFor(t, 8, Options{})
	o := r.object(keyOf(1))
	id, whole := o.id.Load(), r.s.shardOf(o.hash, wholeObject)
	whole.mu.Lock() // the drop can't make its mark
	dropped := make(chan error, 1)
	go func() { dropped <- o.Drop(bg) }()
	for begun := false; !begun; runtime.Gosched() {
		_, known := r.s.objects.get(id)
		begun = !known
	}
	o.Detach()
	whole.mu.Unlock()
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if n, known := r.s.objects.inUse, r.s.objects.count(); n != 0 || known != 0 {
		t.Errorf("%d objects are in use, of %d", n, known)
	}
}

// Two drops by one handle, of which the second begins before the first has ended, leave it one claim.
func TestAHandleHasOneClaimHoweverManyDropIt(t *testing.T) {
	r := rigFor(t, 8, Options{})
	o := r.object(keyOf(1))
	id := o.id.Load()
	for range 2 {
		if err := o.drop(bg, id); err != nil {
			t.Fatal(err)
		}
	}
	o.Detach()
	if n, known := r.s.objects.inUse, r.s.objects.count(); n != 0 || known != 0 {
		t.Errorf("%d objects are in use, of %d", n, known)
	}
}

// A region that can be reclaimed has let its buffer go: else it would let go of one that it is given with its next content.
func TestARegionThatIsStoredHasNoBuffer(t *testing.T) {
	r := rigFor(t, 8, Options{})
	r.cache(keyOf(1), 0, 8)
	r.s.fill.mu.Lock()
	region := r.s.fill.current.region
	r.s.fill.seal()
	region.mu.Lock() // its buffer can't be let go
	r.s.fill.mu.Unlock()
	stored := func() bool {
		r.s.fill.mu.Lock()
		defer r.s.fill.mu.Unlock()
		return len(r.s.fill.stored) > 0
	}
	for range 100000 {
		if stored() {
			t.Error("it is stored with its buffer")
			break
		}
		runtime.Gosched()
	}
	region.mu.Unlock()
	r.quiet()
	if !stored() {
		t.Error("it is not stored")
	}
}
