package volume

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"forebay/cachecore/arraytest"
)

// heldFill starts a read of the block at off whose fill has the array's present content and is not answered yet.
func heldFill(r *rig, off int64, n int) (*arraytest.Held, <-chan []byte) {
	held := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Read, off))
	got := make(chan []byte, 1)
	go func() {
		p, err := r.read(off, n)
		if err != nil {
			r.t.Error(err)
		}
		got <- p
	}()
	<-held.Arrived()
	return held, got
}

func TestG1_NoFillIsInstalledOverAWriteThatCameAfterIt(t *testing.T) {
	r := newRig(t, wishes{})
	r.onArray(of('a', blk), 0)
	fill, got := heldFill(r, 0, blk)
	r.mustWrite(of('b', blk), 0)
	fill.Release(nil)
	<-got
	r.mustHit(0, of('b', blk))
}

func TestG1_NoFillIsInstalledBesideAWriteUnderWay(t *testing.T) {
	r := newRig(t, wishes{})
	r.onArray(of('a', blk), 0)
	fill, got := heldFill(r, 0, blk)
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 0))
	written := start(func() error { return r.Write(context.Background(), of('b', blk), 0, false) })
	<-write.Arrived()
	fill.Release(nil)
	for len(r.locks.places) < 2 { // the read is done with what it has, and waits for the write
		runtime.Gosched()
	}
	r.mustMiss(0, blk)
	write.Release(nil)
	if p := <-got; !bytes.Equal(p, of('b', blk)) {
		t.Error("a read that waited for a write has other bytes")
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.mustHit(0, of('b', blk))
}

func TestG1_NoFillIsInstalledThatBeganDuringAWrite(t *testing.T) {
	r := newRig(t, wishes{})
	r.onArray(of('a', blk), 0)
	write := r.mem.Hold(arraytest.Before, arraytest.Of(arraytest.Write, 0))
	written := start(func() error { return r.Write(context.Background(), of('b', blk), 0, false) })
	<-write.Arrived()
	fill, got := heldFill(r, blk, blk) // of the same run
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	fill.Release(nil)
	<-got
	r.mustMiss(blk, blk)
}

// A read finds no write in its way, waits for a buffer, and asks the array when a change of its block is under way there: what it gets then is not for the
// cache, nor for itself.
func TestG1_NoFillIsInstalledThatBeganDuringAChangeOfItsBlock(t *testing.T) {
	ctx, changes := context.Background(), func(op arraytest.Op) bool { return op.Kind != arraytest.Read }
	for name, change := range map[string]func(*rig) error{
		"write":   func(r *rig) error { return r.Write(ctx, of(0, blk), 0, false) },
		"discard": func(r *rig) error { return r.Discard(ctx, 0, blk, true) },
		"zero":    func(r *rig) error { return r.WriteZeroes(ctx, 0, blk) },
		"alter": func(r *rig) error {
			return r.Alter(ctx, 0, blk, func(ctx context.Context) error { return r.mem.WriteZeroes(ctx, 0, blk, false) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, wishes{buffers: 2 * mib})
				r.onArray(of('a', blk), 0)
				var slow collected // has all buffers
				for i := range int64(2) {
					if err := r.Read(ctx, &slow, mib+i*mib, mib); err != nil {
						t.Fatal(err)
					}
				}
				got := make(chan []byte, 1)
				go func() {
					p, err := r.read(0, blk)
					if err != nil {
						t.Error(err)
					}
					got <- p
				}()
				synctest.Wait()
				held := r.mem.Hold(arraytest.Before, changes)
				changed := start(func() error { return change(r) })
				<-held.Arrived()
				slow.release()
				synctest.Wait() // the array has been read
				r.mustMiss(0, blk)
				held.Release(nil)
				if err := <-changed; err != nil {
					t.Fatal(err)
				}
				if p := <-got; !bytes.Equal(p, of(0, blk)) {
					t.Error("a read has other bytes than the array")
				}
				r.mustRead(0, of(0, blk))
			})
		})
	}
}

func TestG1_NoFillIsInstalledOverADiscardOrADrop(t *testing.T) {
	for name, change := range map[string]func(*rig) error{
		"discard": func(r *rig) error { return r.Discard(context.Background(), 0, blk, true) },
		"zero":    func(r *rig) error { return r.WriteZeroes(context.Background(), 0, blk) },
		"drop":    func(r *rig) error { r.Drop(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, wishes{})
			r.onArray(of('a', blk), 0)
			fill, got := heldFill(r, 0, blk)
			if err := change(r); err != nil {
				t.Fatal(err)
			}
			fill.Release(nil)
			<-got
			r.mustMiss(0, blk)
		})
	}
}

func TestG1_FillsOfOtherRunsAreInstalled(t *testing.T) {
	r := newRig(t, wishes{})
	r.mustWrite(make([]byte, blk), 0) // the generations of runs have nothing to do with each other
	r.store.Drop(1, 0, 1)
	fill, got := heldFill(r, 0, 128*kib)
	r.mustWrite(of('b', blk), 64*kib)
	fill.Release(nil)
	<-got
	r.mustHit(0, make([]byte, 64*kib))
	r.mustHit(64*kib, of('b', blk))
	r.mustMiss(64*kib+blk, blk)
}

// Once a write is answered, and once a reader has seen it, nobody who comes later joins a fill from before.
func TestG1_NoReaderJoinsAFillFromBeforeAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wishes{})
		r.onArray(of('a', blk), 0)
		fill, got := heldFill(r, 0, blk)
		read := func() <-chan []byte {
			p := make(chan []byte, 1)
			go func() {
				got, _ := r.read(0, blk)
				p <- got
			}()
			synctest.Wait()
			return p
		}
		seesTheNew := func(p <-chan []byte) {
			t.Helper()
			select {
			case p := <-p:
				if !bytes.Equal(p, of('b', blk)) {
					t.Fatal("other bytes")
				}
			default:
				t.Fatal("the read waits for a fill from before")
			}
		}
		write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, 0))
		written := start(func() error { return r.Write(context.Background(), of('b', blk), 0, false) })
		<-write.Arrived()
		first, second := read(), read()   // they wait for the write, as it overlaps
		write.Release(errors.New("boom")) // it is on the array, and stays there, answered or not
		<-written
		synctest.Wait()
		seesTheNew(first)
		seesTheNew(second)
		seesTheNew(read())
		fill.Release(nil)
		<-got
		seesTheNew(read())
	})
}

func TestG1_CachedBlocksAreHiddenWhileAWriteIsUnderWay(t *testing.T) {
	r := newRig(t, wishes{})
	r.mustWrite(of('a', 3*blk), 0)
	write := r.mem.Hold(arraytest.After, arraytest.Of(arraytest.Write, blk))
	written := start(func() error { return r.Write(context.Background(), of('b', blk), blk, false) })
	<-write.Arrived()
	r.mustMiss(blk, blk)
	r.mustHit(0, of('a', blk))
	r.mustHit(2*blk, of('a', blk))
	write.Release(nil)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.mustHit(blk, of('b', blk))
}
