package volume

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/arraytest"
)

// slowly has the array take its time for writes and for reads.
func (r *rig) slowly(write, read time.Duration) {
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if at == arraytest.Before && op.Kind == arraytest.Read {
			time.Sleep(read)
		} else if at == arraytest.Before {
			time.Sleep(write)
		}
		return nil
	})
}

// Readers that have waited for a write don't wait for each other, and the cache takes the block again.
func TestReadersWaitForAWriteOnceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		r.slowly(10*time.Millisecond, 2*time.Millisecond)
		const readers = 8
		written := start(func() error { return r.Write(context.Background(), of('w', 512), 0, false) }) // of a part, so that it publishes nothing
		synctest.Wait()
		begun := time.Now()
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				for range 100 {
					if _, err := r.read(0, blk); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if err := <-written; err != nil {
			t.Error(err)
		}
		if n, took := r.reads.Load(), time.Since(begun); n > readers+1 || took > 20*time.Millisecond {
			t.Errorf("%d reads of the array, in %v", n, took)
		}
		r.mustHit(0, append(of('w', 512), make([]byte, blk-512)...))
	})
}

// Buffers are with clients until those have read: a write that needs none doesn't wait for them behind a read.
func TestNoWriteWaitsBehindAReadThatWaitsForABuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{buffers: 2 * mib})
		var slow collected
		for i := range int64(2) {
			if err := r.Read(context.Background(), &slow, mib+i*mib, mib); err != nil {
				t.Fatal(err)
			}
		}
		r.slowly(2*time.Millisecond, 2*time.Millisecond)
		first := start(func() error { return r.Write(context.Background(), of('w', 512), 0, false) })
		synctest.Wait()
		read := start(func() error { _, err := r.read(0, blk); return err })
		if err := <-first; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := r.Write(ctx, of('x', 512), 512, false); err != nil {
			t.Error(err)
		}
		slow.release()
		if err := <-read; err != nil {
			t.Error(err)
		}
	})
}

// Who has joined a long fill doesn't read again for a write of blocks that he doesn't ask for.
func TestAWriteCrossesOnlyReadsOfItsBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		fill, first := heldFill(r, 0, 64*kib)
		second := start(func() error { _, err := r.read(8*blk, blk); return err })
		synctest.Wait()
		written := start(func() error { return r.Write(context.Background(), of('w', blk), 0, false) })
		if err := <-written; err != nil {
			t.Error(err)
		}
		fill.Release(nil)
		if err := <-second; err != nil {
			t.Error(err)
		}
		if got := <-first; string(got[:blk]) != string(of('w', blk)) {
			t.Error("other bytes")
		}
		if n := r.reads.Load(); n != 2 { // the fill, and all of it once more for the first
			t.Errorf("%d reads of the array", n)
		}
	})
}
