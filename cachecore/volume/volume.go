package volume

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/calls"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
)

// Options are what a Volume is made of.
type Options struct {
	Object  cachecore.ObjectID
	Array   cachecore.Array
	Store   *ram.Store
	Buffers *ram.Buffers // for fills; twice MaxRead at least. Others may use it too
	Stats   *stats.Volume

	OnArrayLoss      time.Duration // how long I/O is held while the array is unavailable; 0: it fails at once
	Outage           *Outage       // of an array that others use too; nil: one of its own, with OnArrayLoss
	SequentialBypass int64         // bytes of a sequential stream after which its reads are no longer admitted; 0: 8 MiB, negative: never
	Flash            Flash         // the second level; nil: none
	FlashLasts       bool          // it outlives the process: Close leaves what it has, and what the array may lose doesn't go there
	// Settle makes durable all that anybody has written; nil: the array's Flush does, and not only what was written in this life.
	Settle  func(context.Context) error
	Stripes int // 0: 1024, of 24 bytes; fewer for objects that are many and small
}

// Volume is one cached address space. It is safe for concurrent use, Close excepted.
type Volume struct {
	object cachecore.ObjectID
	array  cachecore.Array
	// interruptible says that the array's reads may be given up: who reads may do so without another goroutine, which costs two switches.
	interruptible bool
	launcher      cachecore.Launcher // the array, if it is one; else nil
	store         *ram.Store
	buffers       *ram.Buffers
	stats         *stats.Volume

	runs     runs
	locks    *rangeLock
	fills    fills
	streams  streams
	flash    Flash    // nil: none
	lasting  *lasting // nil: what is cached ends with the process
	walk     *walk    // nil: there is nothing that hot blocks are to be brought to
	settle   func(context.Context) error
	outage   *Outage
	calls    calls.Calls
	launches sync.Pool // of *launched
	opened   time.Time

	// extent is how far the array reaches; readable is how far anybody may read, which follows when the cache fits the new extent.
	extent, readable atomic.Int64
	drops            drops
	reach            atomic.Uint64 // blocks: nothing from there on has ever been cached

	life context.Context // of fills, of I/O that is held, and of all that is installed
	end  context.CancelFunc
}

const (
	// MaxRead is the longest Read in bytes.
	MaxRead = ram.MaxRead

	defaultBypass = 8 << 20
	smallest      = 512 // bytes, the logical block of an array that doesn't say
)

var errClosed = fmt.Errorf("volume closed: %w", cachecore.ErrUnavailable)

// New returns a volume over an array that has been attached: its size is known.
func New(o Options) *Volume {
	if o.SequentialBypass == 0 {
		o.SequentialBypass = defaultBypass
	}
	if o.Stats == nil {
		o.Stats = new(stats.Volume)
	}
	if o.Outage == nil {
		o.Outage = NewOutage(o.OnArrayLoss)
	}
	if o.Stripes == 0 {
		o.Stripes = stripes
	}
	v := &Volume{runs: newRuns(o.Stripes), object: o.Object, array: o.Array, store: o.Store, buffers: o.Buffers, stats: o.Stats, locks: newRangeLock(),
		outage: o.Outage, flash: o.Flash, opened: time.Now()}
	if o.Flash != nil && o.FlashLasts {
		v.lasting = newLasting()
		if hot, ok := o.Flash.(hotFlash); ok {
			v.walk = &walk{flash: hot}
		}
	}
	v.settle = o.Settle
	v.interruptible = o.Array.Info().Interruptible
	v.launcher, _ = o.Array.(cachecore.Launcher)
	v.streams.threshold = o.SequentialBypass
	v.extent.Store(o.Array.Info().Size)
	v.readable.Store(v.extent.Load())
	v.life, v.end = context.WithCancel(context.Background())
	return v
}

// Flush makes every answered write durable, as far as the array can.
func (v *Volume) Flush(ctx context.Context) error {
	if !v.calls.Enter() {
		return errClosed
	}
	defer v.calls.Leave()
	if v.settle != nil {
		return v.ask(ctx, v.array.Flush)
	}
	return v.flushAll(ctx, v.array.Flush)
}

// flushAll flushes by a call that makes everything durable.
func (v *Volume) flushAll(ctx context.Context, call func(context.Context) error) error {
	turn := v.lasting.begin()
	err := v.ask(ctx, call)
	if err == nil {
		v.lasting.end(turn)
	}
	return err
}

// Wake says that the array is back: what is held tries again at once.
func (v *Volume) Wake() { v.outage.Wake() }

// Close refuses new calls, waits for those under way or for the end of ctx, which it returns, and empties the cache, but for a flash tier that lasts.
// It does not flush.
func (v *Volume) Close(ctx context.Context) error {
	err := v.calls.Close(ctx)
	v.end()
	v.drops.mu.Lock()
	defer v.drops.mu.Unlock()
	v.drop(0, all, func() {
		if v.lasting == nil {
			v.dropFlash()
		}
	})
	return err
}

// check refuses ranges that the array doesn't have, and notices when it has grown.
func (v *Volume) check(ctx context.Context, off, n int64) error {
	info := v.array.Info()
	if info.Size != v.readable.Load() {
		if err := v.resize(ctx); err != nil {
			return err
		}
	}
	return inRange(&info, off, n)
}

// within is check where nothing has to be noticed first.
func (v *Volume) within(off, n int64) bool {
	info := v.array.Info()
	return info.Size == v.readable.Load() && inRange(&info, off, n) == nil
}

func inRange(info *cachecore.ArrayInfo, off, n int64) error {
	if block := int64(cmp.Or(info.LogicalBlock, smallest)); off%block != 0 || n%block != 0 {
		return fmt.Errorf("%d bytes at %d: not multiples of %d", n, off, block)
	}
	if off < 0 || n < 0 || off > info.Size || n > info.Size-off {
		return fmt.Errorf("%d bytes at %d: %w", n, off, cachecore.ErrOutOfRange)
	}
	return nil
}

// blocksOf are the blocks that a range of at least one byte touches.
func blocksOf(off, n int64) (first cachecore.Block, blocks int) {
	first = cachecore.Block(off / cachecore.BlockSize)
	return first, int(cachecore.Block((off+n-1)/cachecore.BlockSize)-first) + 1
}
