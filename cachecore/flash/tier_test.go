package flash

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

func TestATierGrowsAndShrinksWhileItRuns(t *testing.T) {
	r := newRig(t, 40, Options{})
	defer func() { _ = r.s.Close(bg) }()
	k := keyOf(1)
	resize := func(regions int) {
		t.Helper()
		if err := r.s.Resize(bg, small(regions)); err != nil {
			t.Fatal(err)
		}
	}
	fill := func(lines int) int {
		for line := range lines {
			r.cache(k, blockOf(line), 8)
			r.check(k, blockOf(line), 8)
		}
		r.quiet()
		return r.check(k, 0, 256)
	}
	all := fill(30)
	resize(10)
	r.quiet() // another region may be on its way out
	few := r.check(k, 0, 256)
	if all < 200 || few == 0 || few > 10*13 {
		t.Fatalf("%d blocks, after shrinking %d", all, few)
	}
	r.close()
	r.open()
	if n := r.check(k, 0, 256); n != few {
		t.Fatalf("%d blocks after shrinking, %d after a restart", few, n)
	}
	resize(40)
	if n := r.check(k, 0, 256); n != few {
		t.Fatalf("%d blocks before growing, %d after it", few, n)
	}
	if n := fill(30); n < 200 {
		t.Fatalf("%d blocks after growing", n)
	}
	if err := r.s.Resize(bg, small(3)); !errors.Is(err, ErrTooSmall) {
		t.Fatalf("resized to three regions: %v", err)
	}
}

// What lay beyond the end of a tier doesn't come back when it grows again.
func TestG3_ATierThatGrowsAgainRevivesNothing(t *testing.T) {
	r := newRig(t, 12, Options{})
	r.cannotDiscard()
	k := keyOf(1)
	each := func(f func(first cachecore.Block)) {
		for line := range 9 { // each in an extent of its own
			f(blockOf(line * extentLines))
		}
	}
	each(func(first cachecore.Block) { r.cache(k, first, 8) })
	r.spill()
	for _, regions := range []int{4, 12} {
		if err := r.s.Resize(bg, small(regions)); err != nil {
			t.Fatal(err)
		}
		each(func(first cachecore.Block) { r.write(k, first, 8) })
	}
	r.cut()
	each(func(first cachecore.Block) {
		if n := r.check(k, first, 8); n != 0 {
			t.Fatalf("%d blocks of before are back", n)
		}
	})
	r.close()
}

func TestG3_ATierThatHasLeftIsNeverOpenedAgain(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, 40)
	r.spill()
	if err := r.s.Withdraw(bg); err != nil {
		t.Fatal(err)
	}
	if n := r.check(k, 0, 40); n != 0 {
		t.Fatalf("%d blocks served by a tier that has left", n)
	}
	r.write(k, 0, 40) // the handle is still good
	if err := r.object(k).Drop(bg); err != nil {
		t.Fatal(err)
	}
	if r.offer(k, 0, 1)+r.offer(k, 0, 1) != 0 {
		t.Fatal("something was admitted by a tier that has left")
	}
	r.twin.Crash(r.twin.Events()).Each(1, nil, func(image []byte) bool {
		if _, err := Open(devicetest.FromImage(image), Options{Condemn: r.condemn}); !errors.Is(err, ErrNotFormatted) {
			t.Fatalf("opened again: %v", err)
		}
		return true
	})
}

func TestAStoreIsClosedOnceNobodyUsesIt(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.offer(k, 0, 4)
	batch := r.object(k).Prepare(0, 4)
	done, cancel := context.WithCancel(bg)
	cancel()
	if err := r.s.Close(done); !errors.Is(err, context.Canceled) {
		t.Fatalf("closed while a batch is out: %v", err)
	}
	for i := range 4 {
		r.fill(batch.Bytes(i), k, cachecore.Block(i))
	}
	batch.Publish()
	r.close()
	if err := r.object(k).Invalidate(bg, 0, 1); !errors.Is(err, ErrClosed) {
		t.Fatalf("a write is let through that a closed store doesn't know of: %v", err)
	}
	if _, err := r.s.Attach(bg, k, 1, 1); !errors.Is(err, ErrClosed) {
		t.Fatalf("attached to a closed store: %v", err)
	}
	r.open()
	if n := r.check(k, 0, 4); n != 4 {
		t.Fatalf("%d of 4 blocks found after a restart", n)
	}
	r.close()
}

func TestAFileServesAsWell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flash")
	dev, err := device.Open(device.Options{Path: path, Size: 4 << 20, Sparse: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	r := newRig(t, 4, Options{})
	r.close()
	id, err := Format(dev, FormatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.id, r.s = id, nil
	r.s = r.openOn(dev)
	clear(r.objects)
	k := keyOf(1)
	r.cache(k, 0, 200)
	r.write(k, 50, 10)
	r.close()
	r.s = r.openOn(dev)
	clear(r.objects)
	if n := r.check(k, 0, 200); n != 190 {
		t.Fatalf("%d of 190 blocks found", n)
	}
	r.close()
}
