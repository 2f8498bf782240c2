package flash

import (
	"testing"
	"testing/synctest"
	"time"
)

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
		if n := len(r.s.fill.stored); n != 0 {
			t.Fatalf("%d regions were written while something came to the first one", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(r.s.fill.stored); n != 1 {
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
		for line := 0; r.s.fill.roomy(); line++ {
			r.cache(k, blockOf(line), lineBlocks)
			r.quiet()
		}
		before := len(r.s.fill.stored)
		r.cache(k, blockOf(1000), 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(r.s.fill.stored); n > before+1 { // what was being filled when it became short
			t.Fatalf("%d regions were written for one block", n-before)
		}
		if r.s.fill.current == nil {
			t.Fatal("a region was written with little in it, though slots are short")
		}
		r.close()
	})
}
