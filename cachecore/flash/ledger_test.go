package flash

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// cacheExtents caches a block of each of n extents and has them written to the device.
func (r *rig) cacheExtents(k Key, n int) {
	for x := range n {
		r.cache(k, blockOf(x*extentLines), 1)
	}
	r.spill()
}

// An extent that was marked in an earlier life has nothing in the index, so a write to it needs no mark: the old one has to stay, however many
// pages come.
func TestG3_AMarkOfAnEarlierLifeStays(t *testing.T) {
	r := newRig(t, 40, Options{})
	k, other := keyOf(1), keyOf(2)
	r.cache(k, 0, lineBlocks)
	r.spill()
	r.write(k, 0, 1)
	for life := range 3 {
		r.cut()
		r.write(k, 0, lineBlocks)
		begun := r.s.ledger.book.generation
		for line := 0; r.s.ledger.book.generation < begun+2; line++ {
			r.cache(other, blockOf(line%9*extentLines), 1)
			r.spill()
			r.write(other, blockOf(line%9*extentLines), 1)
		}
		r.cut()
		if n := r.check(k, 0, lineBlocks); n != 0 {
			t.Fatalf("life %d: %d blocks are back", life, n)
		}
	}
	r.close()
}

// What was void in an earlier life stays so.
func TestG3_WhatIsVoidStaysVoid(t *testing.T) {
	r := newRig(t, 40, Options{})
	k := keyOf(1)
	r.cacheExtents(k, 3)
	r.crowdLedger()
	r.write(k, 0, 1)
	if r.s.void.Load() <= 1 {
		t.Fatal("the ledger had room")
	}
	for range 3 {
		r.cut()
		for x := range 3 {
			if n := r.check(k, blockOf(x*extentLines), 1); n != 0 {
				t.Fatalf("a block of extent %d is back", x)
			}
			r.write(k, blockOf(x*extentLines), 1)
		}
	}
	r.close()
}

// crowdLedger makes the next page a restatement, and more marks than it may have.
func (r *rig) crowdLedger() {
	sh := &r.s.shards[0]
	sh.mu.Lock()
	for x := range r.s.ledger.book.marks() + 1 {
		sh.marks[extent{keyOf(255), uint32(x)}] = mark{below: r.s.sealed.Load() + 1}
	}
	sh.mu.Unlock()
	r.s.ledger.book.index = r.s.ledger.book.pages()
}

// One entry takes the place of all marks, but not before it is durable.
func TestG3_AWriteWaitsUntilTheVoidIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 40, Options{})
		k := keyOf(1)
		r.cacheExtents(k, 2)
		r.crowdLedger()
		release := r.hold(devicetest.WriteDurable)
		for x := range 2 {
			if r.object(k).InvalidateNow(blockOf(x*extentLines), 1) {
				t.Errorf("a write to extent %d goes before that", x)
			}
			synctest.Wait()
		}
		release()
		synctest.Wait()
		if r.s.void.Load() <= 1 {
			t.Error("the ledger had room")
		}
		r.close()
	})
}

// More marks than a page holds come at once: those of the second page are not durable with the first.
func TestG3_AMarkIsDurableWithItsOwnPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const extents = pageEntries + 20
		r := newRig(t, 120, Options{}) // as short pieces take more of the index
		k := keyOf(1)
		r.cacheExtents(k, extents)
		pages, gate := make(chan struct{}), atomic.Bool{}
		gate.Store(true)
		r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
			if c.Kind == devicetest.WriteDurable && gate.Load() {
				<-pages
			}
			return devicetest.Fault{}
		})
		goes := func(x int) bool { return r.object(k).InvalidateNow(blockOf(x*extentLines), 1) }
		for x := range extents {
			goes(x)
			synctest.Wait() // the first is on its way alone
		}
		for page, last := range []int{0, pageEntries, extents - 1} {
			if goes(last) {
				t.Errorf("the write of mark %d goes before page %d", last, page)
			}
			pages <- struct{}{}
			synctest.Wait()
			for x := range extents {
				if goes(x) != (x <= last) {
					t.Errorf("behind page %d: mark %d is durable: %v", page, x, x > last)
				}
			}
		}
		gate.Store(false)
		r.close()
	})
}

// A beginning of several pages counts as a whole: one that ends too early lacks marks.
func TestG3_ABeginningThatIsNotWholeIsNotBelieved(t *testing.T) {
	r := newRig(t, 12, Options{})
	r.close()
	sb := superblock{r.id, r.s.layout}
	b, a, err := readBook(r.twin, sb)
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for x := range uint32(2*pageEntries + 10) {
		entries = append(entries, entry{extent{keyOf(1), x}, 9})
	}
	if err := b.restate(a.standing, entries); err != nil {
		t.Fatal(err)
	}
	if _, a, err := readBook(r.twin, sb); err != nil || len(a.marks) != len(entries) {
		t.Fatalf("%d marks of %d: %v", len(a.marks), len(entries), err)
	}
	for index := range uint32(3) {
		twin := devicetest.FromImage(r.twin.Image())
		for from := b.at(index); from < b.at(index)+pageSpan; from += blockSize {
			twin.Flip(from+100, 1)
		}
		if _, a, err := readBook(twin, sb); !errors.Is(err, ErrDamaged) && (index > 0 || len(a.marks) > 0 || a.number > b.number) {
			t.Errorf("without page %d: %d marks are believed: %v", index, len(a.marks), err)
		}
	}
}

// A write over the end of an extent is about both, wherever it begins in its line.
func TestG3_AWriteOverTheEndOfAnExtentMarksBoth(t *testing.T) {
	const end = extentLines * lineBlocks
	for before := 1; before < lineBlocks; before++ {
		r := newRig(t, 12, Options{})
		k := keyOf(1)
		r.cache(k, end-lineBlocks, 2*lineBlocks)
		r.spill()
		r.write(k, cachecore.Block(end-before), lineBlocks)
		if n := r.check(k, end-lineBlocks, 2*lineBlocks); n != lineBlocks {
			t.Errorf("%d blocks before the end: %d are left", before, n)
		}
		if n := r.s.Stats().Marks; n != 2 {
			t.Errorf("%d blocks before the end: %d extents are marked", before, n)
		}
		r.cut()
		r.check(k, end-lineBlocks, 2*lineBlocks)
		r.close()
	}
}

// A killed life left as many marks as half the ledger holds, and two copies of blocks, of which the older one's mark was on its way: the restatement has
// one more.
func TestG3_MoreMarksThanTheLedgerHoldsAreNotWrittenBehindIt(t *testing.T) {
	r := newRig(t, 40, Options{})
	k := keyOf(1)
	r.cacheTwice(k)
	r.spill()
	b := r.s.ledger.book
	var entries []entry
	for x := range b.pages() * pageEntries {
		entries = append(entries, entry{extent{keyOf(255), x}, r.s.sealed.Load() + 1})
	}
	if err := b.restate(r.s.ledger.standing, entries); err != nil {
		t.Fatal(err)
	}
	r.cut()
	if b := r.s.ledger.book; b.index > b.pages() {
		t.Errorf("%d pages in a half of %d", b.index, b.pages())
	}
	if n := r.check(k, 0, 8); n != 8 {
		t.Errorf("%d of 8 blocks are found", n)
	}
	r.write(k, 0, 1)
	r.cut()
	if n := r.check(k, 0, 8); n != 0 {
		t.Errorf("%d blocks are back of what was void", n)
	}
	r.close()
}
