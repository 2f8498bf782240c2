package volume

import (
	"bytes"
	"context"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestG2_PartialWriteMergesIntoWhatWasCached(t *testing.T) {
	for name, c := range map[string]struct{ off, n int }{
		"inside a block":        {512, 1024},
		"its head":              {0, 512},
		"its tail":              {blk - 512, 512},
		"across two blocks":     {blk - 512, 1024},
		"head and tail":         {512, 3 * blk},
		"across runs":           {64*kib - 1024, 64*kib + 2048},
		"from a block's middle": {blk + 512, 2*blk - 512},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, wishes{})
			want := make([]byte, 256*kib)
			for i := range want {
				want[i] = byte(i / 512)
			}
			r.mustWrite(want, 0)
			r.mustWrite(of('x', c.n), int64(c.off))
			copy(want[c.off:], of('x', c.n))
			r.mustHit(0, want)
			if n := r.reads.Load(); n != 0 {
				t.Errorf("%d array reads", n)
			}
		})
	}
}

func TestG2_PartialWriteOfWhatIsNotCachedInstallsNoPart(t *testing.T) {
	r := newRig(t, wishes{})
	r.onArray(of('a', 4*blk), 0)
	r.mustWrite(of('b', 2*blk), 512)
	r.mustMiss(0, 512)
	r.mustMiss(512, 512)
	r.mustHit(blk, of('b', blk))
	r.mustMiss(2*blk, 512)
	r.mustRead(0, bytes.Join([][]byte{of('a', 512), of('b', 2*blk), of('a', 2*blk-512)}, nil))
}

// The overlay is pinned before the array is asked: what happens to its slot meanwhile doesn't matter.
func TestG2_OverlaySurvivesEviction(t *testing.T) {
	r := newRig(t, wishes{blocks: 16})
	r.mustWrite(of('a', blk), 0)
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 512))
	written := start(func() error { return r.Write(context.Background(), of('b', 512), 512, false) })
	<-write.Arrived()
	for i := range int64(200) { // wanted twice: they take the place of all that isn't pinned
		r.mustWrite(of('z', blk), mib+i*blk)
		r.mustHit(mib+i*blk, of('z', blk))
	}
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.mustRead(0, bytes.Join([][]byte{of('a', 512), of('b', 512), of('a', blk-1024)}, nil))
}

// What a merge is made of is worthless once the cache is dropped.
func TestG2_NoMergeIsInstalledAfterADrop(t *testing.T) {
	r := newRig(t, wishes{})
	r.mustWrite(of('a', blk), 0)
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 512))
	written := start(func() error { return r.Write(context.Background(), of('b', 512), 512, false) })
	<-write.Arrived()
	reverted := bytes.Join([][]byte{of('s', 512), of('b', 512), of('s', blk-1024)}, nil)
	if err := r.mem.WriteZeroes(context.Background(), mib, 512, false); err != nil { // somebody else's write, elsewhere
		t.Fatal(err)
	}
	r.Drop()
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.mustMiss(0, blk)
	r.onArray(reverted, 0)
	r.mustRead(0, reverted)
}

func TestTheLastBlockOfAnOddSizeIsCached(t *testing.T) {
	const size = mib + 3*512
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: size}})
	r.onArray(of('a', 3*512), mib)
	r.mustRead(mib-blk, append(make([]byte, blk), of('a', 3*512)...))
	r.mustHit(mib, of('a', 3*512))
	r.mustWrite(of('b', 512), mib+512)
	r.mustHit(mib, bytes.Join([][]byte{of('a', 512), of('b', 512), of('a', 512)}, nil))
	r.mustWrite(of('c', 3*512), mib)
	r.mustHit(mib, of('c', 3*512))
	if _, err := r.read(mib, 4*512); err == nil {
		t.Error("read beyond the end")
	}
	r.mustMiss(mib, blk)
}

// Slots and buffers have held other data. Nothing of it is in the cache as if it were the array's.
func TestBehindAnOddEndTheCacheHasZeros(t *testing.T) {
	const size = 16*blk + 512
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: size}, blocks: 16, buffers: 32 * kib})
	r.onArray(of('x', size), 0)
	want := append(of('x', 512), make([]byte, blk-512)...)
	for name, install := range map[string]func(){
		"read":  func() { r.mustRead(16*blk, of('x', 512)) },
		"write": func() { r.mustWrite(of('x', 512), 16*blk) },
	} {
		for off := int64(0); off < 16*blk; off += 4 * blk {
			r.mustRead(off, of('x', 4*blk))
		}
		install()
		var c collected
		if !r.store.ReadNow(1, 16*blk, blk, &c) || !bytes.Equal(c.bytes(), want) {
			t.Errorf("after a %s: other bytes", name)
		}
		c.release()
		r.Drop()
	}
}

func TestTheLastBlockIsReadAgainWhenTheArrayHasGrown(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib + 512}})
	r.mustWrite(of('a', 512), mib)
	r.mustHit(mib, of('a', 512))
	r.mem.Grow(2 * mib)
	r.onArray(of('b', blk), mib+512)
	r.mustMiss(mib, blk)
	r.mustRead(mib, append(of('a', 512), of('b', blk-512)...))
	r.mustHit(mib, append(of('a', 512), of('b', blk-512)...))
}
