package flash

import (
	"testing"
	"testing/synctest"
	"time"
)

// filling is how many regions are on the device, whether one is being filled, and whether slots are plentiful.
func (r *rig) filling() (stored int, current, roomy bool) {
	f := &r.s.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.stored), f.current != nil, f.roomy()
}

// What is cached in less than a region is there after a power cut, if nothing came for a while before it.
func TestARegionThatNothingComesToIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		r.cache(k, 0, 4)
		r.cut()
		if n := r.check(k, 0, 4); n != 0 {
			t.Fatalf("%d blocks that were in memory only are there after a power cut", n)
		}
		r.cache(k, 0, 4)
		time.Sleep(2*idleAfter + time.Second)
		synctest.Wait()
		r.cut()
		if n := r.check(k, 0, 4); n != 4 {
			t.Fatalf("%d of 4 blocks are there after a power cut", n)
		}
		r.close()
	})
}

// A region to which something comes again and again fills up, and one that nobody uses isn't written again.
func TestARegionThatFillsUpIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		for b := range blockOf(1) {
			r.cache(k, b, 1)
			time.Sleep(idleAfter - time.Second)
		}
		if n, _, _ := r.filling(); n != 0 {
			t.Fatalf("%d regions were written while something came to the first one", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n, _, _ := r.filling(); n != 1 {
			t.Fatalf("%d regions were written in an hour in which nothing came", n)
		}
		r.close()
	})
}

// Where slots are short a region waits until it is full.
func TestNoPlaceIsTakenByARegionWithLittleInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		before := 0
		for line, roomy := 0, true; roomy; line++ {
			r.cache(k, blockOf(line), lineBlocks)
			r.quiet()
			before, _, roomy = r.filling()
		}
		r.cache(k, blockOf(1000), 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		n, current, _ := r.filling()
		if n > before+1 { // what was being filled when it became short
			t.Fatalf("%d regions were written for one block", n-before)
		}
		if !current {
			t.Fatal("a region was written with little in it, though slots are short")
		}
		r.close()
	})
}
