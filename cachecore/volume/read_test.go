package volume

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestReadersOfTheSameBlocksShareOneFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		r.onArray(of('a', 128*kib), 0)
		held := r.mem.Hold(arraytest.Before, nil)
		var done []<-chan error
		for i := range int64(8) {
			done = append(done, start(func() error {
				if i > 0 {
					<-held.Arrived()
				}
				n := 64*kib - int(i)*1024
				got, err := r.read(i*512, n)
				if !bytes.Equal(got, of('a', n)) {
					t.Error("other bytes")
				}
				return err
			}))
			synctest.Wait()
		}
		held.Release(nil)
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
		if n := r.reads.Load(); n != 1 {
			t.Errorf("%d array reads", n)
		}
	})
}

func TestAReadJoinsWhatIsUnderWayAndFillsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		r.onArray(of('a', 16*blk), 0)
		held := r.mem.Hold(arraytest.Before, nil)
		first := start(func() error { _, err := r.read(4*blk, 4*blk); return err })
		<-held.Arrived()
		rest := r.record()
		second := start(func() error {
			got, err := r.read(0, 16*blk)
			if !bytes.Equal(got, of('a', 16*blk)) {
				t.Error("other bytes")
			}
			return err
		})
		synctest.Wait()
		held.Release(nil)
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
		if n := r.reads.Load(); n != 3 || rest.bytes() != 16*blk {
			t.Errorf("%d array reads: %v", n, rest.ops)
		}
	})
}

func TestOneReaderThatGivesUpTakesNothingFromTheOthers(t *testing.T) {
	for name, unyielding := range map[string]bool{"read by itself": false, "read by a goroutine": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { oneGivesUp(t, unyielding) })
		})
	}
}

func oneGivesUp(t *testing.T, unyielding bool) {
	r := newRig(t, wishes{unyielding: unyielding})
	r.onArray(of('a', blk), 0)
	held := r.mem.Hold(arraytest.Before, nil)
	ctx, cancel := context.WithCancel(context.Background())
	first := start(func() error { return r.Read(ctx, &collected{}, 0, blk) })
	<-held.Arrived()
	second := start(func() error {
		got, err := r.read(0, blk)
		if !bytes.Equal(got, of('a', blk)) {
			t.Error("other bytes")
		}
		return err
	})
	synctest.Wait()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	held.Release(nil)
	if err := <-second; err != nil {
		t.Error(err)
	}
	r.mustHit(0, of('a', blk))
}

// An array may say that something was cancelled though no reader has given up.
func TestAnArrayThatGivesUpByItselfIsNotAskedForEver(t *testing.T) {
	r := newRig(t, wishes{})
	r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Read, 0)).Release(context.Canceled)
	if _, err := r.read(0, blk); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.mustRead(0, make([]byte, blk))
}

// A read of an array that doesn't let go is given up all the same.
func TestAReadOfAnUnyieldingArrayIsGivenUp(t *testing.T) {
	r := newRig(t, wishes{unyielding: true, array: func(m *arraytest.Mem) cachecore.Array { return withoutContext{m} }})
	held := r.mem.Hold(arraytest.Before, nil)
	ctx, cancel := context.WithCancel(context.Background())
	read := start(func() error { return r.Read(ctx, &collected{}, 0, blk) })
	<-held.Arrived()
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	held.Release(nil)
}

func TestAFillThatFailsInstallsNothing(t *testing.T) {
	r := newRig(t, wishes{})
	boom := errors.New("boom")
	r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Read, 0)).Release(boom)
	if _, err := r.read(0, blk); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	r.mustMiss(0, blk)
	r.mustRead(0, make([]byte, blk))
	r.mustHit(0, make([]byte, blk))
}

// badSector makes one logical block unreadable.
func (r *rig) badSector(off int64) error {
	medium := errors.New("medium error")
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if at == arraytest.Before && arraytest.Of(arraytest.Read, off)(op) {
			return medium
		}
		return nil
	})
	return medium
}

func TestAReadFailsForNothingThatItDidNotAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		r.onArray(of('a', 16*blk), 0)
		medium := r.badSector(9*blk + 512)
		held := r.mem.Hold(arraytest.Before, nil)
		first := start(func() error { _, err := r.read(0, 16*blk); return err })
		<-held.Arrived()
		beside := start(func() error {
			got, err := r.read(512, 8*blk)
			if !bytes.Equal(got, of('a', 8*blk)) {
				t.Error("other bytes")
			}
			return err
		})
		on := start(func() error { _, err := r.read(8*blk, 2*blk); return err })
		synctest.Wait()
		held.Release(medium)
		if err := <-first; !errors.Is(err, medium) {
			t.Error(err)
		}
		if err := <-beside; err != nil {
			t.Error(err)
		}
		if err := <-on; !errors.Is(err, medium) {
			t.Error(err)
		}
		r.mustRead(9*blk, of('a', 512))
		r.mustRead(9*blk+1024, of('a', blk-1024))
	})
}

func TestOnlyWhatIsAbsentIsRead(t *testing.T) {
	r := newRig(t, wishes{})
	want := of('a', 16*blk)
	r.onArray(want, 0)
	r.mustRead(5*blk, want[:3*blk])
	rest := r.record()
	r.mustRead(0, want)
	if rest.bytes() != 13*blk {
		t.Errorf("%d bytes were read: %v", rest.bytes(), rest.ops)
	}
	s := r.counts.Snapshot()
	if s.HitBlocks != 3 || s.MissedBlocks != 16 || s.ArrayReads.Operations != 3 || s.Datastore.Count != 3 {
		t.Errorf("%d blocks hit, %d missed, %d array reads", s.HitBlocks, s.MissedBlocks, s.ArrayReads.Operations)
	}
}

func TestALongSequentialReaderBypassesTheCache(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: 8 * mib}, blocks: 4096, o: Options{SequentialBypass: mib}})
	for off := int64(0); off < 4*mib; off += 64 * kib {
		r.mustRead(off, make([]byte, 64*kib))
	}
	if used := r.store.Stats().UsedBytes; used != mib {
		t.Errorf("%d bytes of the stream were admitted", used)
	}
	r.mustRead(6*mib, make([]byte, blk))
	r.mustHit(6*mib, make([]byte, blk))
}

// What is prefetched is there for who reads on, whose hits are the only ones that count.
func TestAPrefetchIsNobodysRead(t *testing.T) {
	r := newRig(t, wishes{})
	r.onArray(of('a', 4*blk), 0)
	if err := r.Prefetch(context.Background(), 0, 4*blk); err != nil {
		t.Fatal(err)
	}
	if s := r.counts.Snapshot(); s.HitBlocks != 0 || s.MissedBlocks != 0 {
		t.Errorf("%d blocks count as found, %d as missed", s.HitBlocks, s.MissedBlocks)
	}
	r.mustHit(0, of('a', 4*blk))
}

func TestReadsWaitForBuffersAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{buffers: 8 * kib})
		held := r.mem.Hold(arraytest.Before, nil)
		first := start(func() error { _, err := r.read(0, 2*blk); return err })
		<-held.Arrived()
		ctx, cancel := context.WithCancel(context.Background())
		second := start(func() error { return r.Read(ctx, &collected{}, mib, blk) })
		third := start(func() error { _, err := r.read(2*mib, blk); return err })
		synctest.Wait()
		if n := r.reads.Load(); n != 0 {
			t.Errorf("%d array reads without buffers", n)
		}
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		held.Release(nil)
		if err := errors.Join(<-first, <-third); err != nil {
			t.Error(err)
		}
		if _, err := r.read(0, 128*kib); err == nil {
			t.Error("a read that no pool could serve")
		}
	})
}

// A block that is evicted between the look-up and the pinning must not fail the read.
func TestAReadSurvivesConstantEviction(t *testing.T) {
	r := newRig(t, wishes{blocks: 16})
	done := start(func() error {
		for i := range int64(300) {
			if err := r.Write(context.Background(), of('z', blk), mib+i%64*blk, false); err != nil {
				return err
			}
		}
		return nil
	})
	want := of('a', 24*blk)
	r.mustWrite(want, 0)
	for range 300 {
		r.mustRead(512, want[512:23*blk])
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestRangesAreChecked(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib, LogicalBlock: 4096}})
	ctx := context.Background()
	for name, c := range map[string]struct {
		err error
		is  error
	}{
		"read beyond":     {r.Read(ctx, &collected{}, mib, blk), cachecore.ErrOutOfRange},
		"read far beyond": {r.Read(ctx, &collected{}, 1<<62, blk), cachecore.ErrOutOfRange},
		"read before":     {r.Read(ctx, &collected{}, -blk, blk), cachecore.ErrOutOfRange},
		"read of -1":      {r.Read(ctx, &collected{}, 0, -blk), cachecore.ErrOutOfRange},
		"write beyond":    {r.Write(ctx, of('a', 2*blk), mib-blk, false), cachecore.ErrOutOfRange},
		"discard beyond":  {r.Discard(ctx, 0, mib+blk, false), cachecore.ErrOutOfRange},
		"misaligned":      {r.Read(ctx, &collected{}, 512, blk), nil},
		"too long":        {r.Read(ctx, &collected{}, 0, 1<<31), nil},
	} {
		if c.err == nil || c.is != nil && !errors.Is(c.err, c.is) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if r.ReadNow(&collected{}, -1, 10) || r.ReadNow(&collected{}, 0, -1) || r.ReadNow(&collected{}, 1<<62, 1<<62) {
		t.Error("nonsense was answered")
	}
	if err := errors.Join(r.Read(ctx, &collected{}, mib, 0), r.Write(ctx, nil, mib, true), r.Discard(ctx, mib, 0, true)); err != nil {
		t.Error(err)
	}
}

func TestCloseWaitsAndRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		held := r.mem.Hold(arraytest.Before, nil)
		read := start(func() error { _, err := r.read(0, blk); return err })
		<-held.Arrived()
		closed := start(func() error { return r.Close(context.Background()) })
		synctest.Wait()
		ctx := context.Background()
		for name, err := range map[string]error{
			"read":    r.Read(ctx, &collected{}, 0, blk),
			"write":   r.Write(ctx, of('a', blk), 0, false),
			"flush":   r.Flush(ctx),
			"discard": r.Discard(ctx, 0, blk, true),
		} {
			if !errors.Is(err, cachecore.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		select {
		case <-closed:
			t.Error("closed before the read has ended")
		default:
		}
		held.Release(nil)
		if err := errors.Join(<-read, <-closed); err != nil {
			t.Error(err)
		}
		r.mustMiss(0, blk)
	})
}

func TestHitAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newRig(t, wishes{})
	r.mustWrite(make([]byte, mib), 0)
	var c collected
	for _, n := range []int{512, blk, 64 * kib} {
		read := func() {
			if !r.ReadNow(&c, 0, n) {
				t.Fatal("a miss")
			}
			c.release()
		}
		read()
		if a := testing.AllocsPerRun(100, read); a != 0 {
			t.Errorf("%v allocations to read %d bytes", a, n)
		}
	}
}

func BenchmarkReadHit(b *testing.B) {
	r := newRig(b, wishes{})
	if err := r.Write(context.Background(), make([]byte, mib), 0, false); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var c collected
		for i := int64(0); pb.Next(); i++ {
			if !r.ReadNow(&c, i%256*blk, blk) {
				b.Error("a miss")
				return
			}
			c.release()
		}
	})
}

func BenchmarkReadMiss(b *testing.B) {
	r := newRig(b, wishes{blocks: 16, o: Options{SequentialBypass: -1}})
	b.ReportAllocs()
	var c collected
	for i := int64(0); b.Loop(); i++ {
		if err := r.Read(context.Background(), &c, i*7%1024*blk, blk); err != nil {
			b.Fatal(err)
		}
		c.release()
	}
}

func BenchmarkWrite(b *testing.B) {
	r := newRig(b, wishes{})
	p := make([]byte, blk)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := r.Write(context.Background(), p, i%1024*blk, false); err != nil {
			b.Fatal(err)
		}
	}
}
