package volume

import (
	"context"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/ram"
)

// lasting tells which runs hold what the array can't lose: those of which a flush has covered all that was written to them. Only that goes to a
// flash tier which outlives the process. While the gateway is down the array may lose power, and with it what it had answered: what was read
// back from it before would then be newer than what it has.
//
// It keeps a stamp for each run, modulo their number: the count of flushes that had begun when a write to it ended. A flush covers the stamps up
// to its own. Before the first flush, and after a drop, nothing is known to last: an earlier life may have written it, or others.
type lasting struct {
	stamps  []atomic.Uint64
	all     atomic.Uint64 // stamp of all runs
	begun   atomic.Uint64 // flushes, and one
	covered atomic.Uint64
	waits   atomic.Bool // something could not be kept since the last flush
}

// lastingRuns is how many runs have a stamp of their own: those of 4 GiB, in 512 KiB.
const lastingRuns = 1 << 16

func newLasting() *lasting {
	l := &lasting{stamps: make([]atomic.Uint64, lastingRuns)}
	l.begun.Store(1)
	l.doubt()
	return l
}

// doubt notes that anybody may have written anywhere.
func (l *lasting) doubt() {
	if l != nil {
		raise(&l.all, l.begun.Load())
	}
}

// wrote notes a write that has ended, before anyone may install what is there now.
func (l *lasting) wrote(first cachecore.Block, n uint64) {
	if l == nil || n == 0 {
		return
	}
	run := uint64(first) / ram.RunBlocks
	count := min((uint64(first)+n-1)/ram.RunBlocks-run+1, lastingRuns)
	for i := range count {
		raise(&l.stamps[(run+i)%lastingRuns], l.begun.Load())
	}
}

// begin comes before a flush, and returns what end takes if it succeeds.
func (l *lasting) begin() uint64 {
	if l == nil {
		return 0
	}
	l.waits.Store(false)
	return l.begun.Add(1) - 1
}

func (l *lasting) end(turn uint64) {
	if l != nil {
		raise(&l.covered, turn)
	}
}

// covers says whether all that was written to a run lasts.
func (l *lasting) covers(b cachecore.Block) bool {
	covered := l.covered.Load()
	return l.all.Load() <= covered && l.stamps[uint64(b)/ram.RunBlocks%lastingRuns].Load() <= covered
}

func raise(at *atomic.Uint64, to uint64) {
	for {
		if now := at.Load(); now >= to || at.CompareAndSwap(now, to) {
			return
		}
	}
}

// settled says whether what the array has in a block's run may be kept beyond the process's life, if it would be.
func (v *Volume) settled(b cachecore.Block) bool {
	return v.lasting == nil || !v.array.Info().WriteCache || v.lasting.covers(b)
}

// lasts is settled, and has Settle see to it that it will be.
func (v *Volume) lasts(b cachecore.Block) bool {
	if v.settled(b) {
		return true
	}
	v.lasting.waits.Store(true)
	return false
}

// Settle makes what was written durable if flash could not keep something for want of that.
func (v *Volume) Settle(ctx context.Context) error {
	if v.lasting == nil || !v.lasting.waits.Load() {
		return nil
	}
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	call := v.settle
	if call == nil {
		call = v.array.Flush
	}
	return v.flushAll(ctx, call)
}

// written is the end of a change of a range, before it is answered.
func (v *Volume) written(first cachecore.Block, n uint64) {
	v.lasting.wrote(first, n)
	v.runs.end(first, n)
}
