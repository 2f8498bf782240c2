package writeback

import (
	"context"
	"testing"
	"testing/synctest"

	"forebay/cachecore/arraytest"
)

// A flush is answered when a flush of the array that was asked for after the write has been, whoever asked for it.
func TestE1_AFlushDoesNotTakeAnothersThatHasNotEndedForDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Through)
		r.write(0, make([]byte, blk))
		ends := make(chan error, 2)
		for range 2 {
			r.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush })
			go func() { ends <- r.Flush(context.Background()) }()
			synctest.Wait()
		}
		if len(ends) > 0 {
			t.Error("a flush has ended before the array has flushed")
		}
		r.mem.LetGo()
		for range 2 {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
		if r.Unflushed() {
			t.Error("something is left unflushed")
		}
	})
}
