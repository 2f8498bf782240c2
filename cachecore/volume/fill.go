package volume

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
)

// maxFill is the longest fill in blocks: 1 MiB.
const maxFill = 256

// fill is one read of the array, or of flash, under way or done, for all who wait for its blocks. Who gives up waiting takes nothing from the others:
// it runs under the volume's own context; or it is the goroutine of a read that runs it, and if that is given up, the others begin another. It is not
// held for an array that is away, as it has a buffer: those who wait for it are.
type fill struct {
	first   cachecore.Block
	n       int
	sampled sample // before anything was asked
	quiet   bool   // nothing was being written then
	admit   bool   // to be installed
	asked   span   // what the array was asked for; the rest came from flash
	crossed span   // places that writes have begun to overlap; guarded by the table of fills
	p       []byte // n blocks in loan's buffer; content once done is closed without err
	loan    *loan
	done    chan struct{}
	err     error // set before done is closed
	givenUp bool  // by the read that ran it; set with err
}

func (f *fill) end() cachecore.Block { return f.first + cachecore.Block(f.n) }

// bytes is the part of a fill from one block to another.
func (f *fill) bytes(from, to cachecore.Block) []byte {
	return f.p[int(from-f.first)*cachecore.BlockSize : int(to-f.first)*cachecore.BlockSize]
}

// fills are those under way.
type fills struct {
	mu   sync.Mutex
	list []*fill // each holds its loan while it is here
}

// claim returns a fill that has the block at from, to be waited for: one under way, or a new one, which reads into p and goes no further
// than to; that the caller has run, whatever happens, as others may wait for it from now on. The caller holds the fill's loan once more.
func (v *Volume) claim(from, to cachecore.Block, p []byte, l *loan, admit bool) (f *fill, isNew bool) {
	v.fills.mu.Lock()
	defer v.fills.mu.Unlock()
	for _, f := range v.fills.list {
		switch {
		case f.end() <= from || f.first >= to || !v.runs.stands(f.first, f.n, &f.sampled):
		case f.first <= from:
			f.loan.hold()
			return f, false
		default:
			to = f.first
		}
	}
	f = &fill{first: from, n: int(to - from), loan: l, done: make(chan struct{})}
	f.p = p[:f.n*cachecore.BlockSize]
	f.sampled, f.quiet = v.runs.sample(f.first, f.n)
	f.admit = admit && f.quiet
	v.fills.list = append(v.fills.list, f)
	l.hold() // the fill's
	l.hold() // the caller's
	v.calls.Join()
	return f, true
}

// run reads, installs and answers, in this order: whoever no longer finds the fill finds its blocks.
func (v *Volume) run(ctx context.Context, f *fill) {
	defer v.calls.Leave()
	defer f.loan.Release(0)
	f.err = v.fetch(ctx, f)
	f.givenUp = f.err != nil && ctx.Err() != nil
	switch {
	case v.life.Err() != nil:
		f.err = errClosed
	case f.err == nil && f.admit:
		v.install(f)
	}
	v.fills.remove(f)
	close(f.done)
}

// runBeside has a goroutine of its own run a fill.
func (v *Volume) runBeside(f *fill) {
	go func() {
		roomyStack(0)
		v.run(v.life, f)
	}()
}

func (t *fills) remove(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.list, f); i >= 0 {
		t.list = slices.Delete(t.list, i, i+1)
	}
}

// cross notes that a write has begun to overlap fills. They serve who doesn't ask for those blocks; the others read once more.
func (t *fills) cross(first cachecore.Block, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.list {
		if from, to := max(first, f.first), min(first+cachecore.Block(n), f.end()); from < to {
			f.crossed = f.crossed.and(span{int(from - f.first), int(to - f.first)})
		}
	}
}

// crossed says whether that is so of blocks that a fill that is done was asked for.
func (t *fills) crossed(f *fill, first cachecore.Block, n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.crossed.empty() {
		return false
	}
	return first < f.first+cachecore.Block(f.crossed.to) && f.first+cachecore.Block(f.crossed.from) < first+cachecore.Block(n)
}

// readArray reads whole blocks. What the last one has beyond the end of the array reads as zeros.
func (v *Volume) readArray(ctx context.Context, p []byte, off int64) error {
	n := min(int64(len(p)), v.extent.Load()-off)
	if n <= 0 {
		return cachecore.ErrOutOfRange // it has shrunk
	}
	clear(p[n:])
	return v.once(ctx, v.counted(stats.Read, int(n), func(ctx context.Context) error { return v.array.ReadAt(ctx, p[:n], off) }))
}

// install offers a fill's blocks to the store and to flash, run by run: those of runs that nothing was written to since the fill began.
func (v *Volume) install(f *fill) {
	generations := f.sampled[:]
	for at := f.first; at < f.end(); generations = generations[1:] {
		to := min(f.end(), nextRun(at))
		batch := v.store.Prepare(v.object, at, int(to-at))
		for i := range int(to - at) {
			copy(batch.Bytes(i), f.bytes(at+cachecore.Block(i), to))
		}
		lines := v.offer(f, at, to)
		v.reaches(to)
		s := v.runs.of(at)
		s.mu.Lock()
		if s.quietSince(generations[0]) && v.life.Err() == nil {
			batch.Publish()
			lines.publish()
		}
		s.mu.Unlock()
		batch.Abandon() // nothing, once it is published
		lines.abandon()
		at = to
	}
}

// nextRun is the first block of the run behind b's.
func nextRun(b cachecore.Block) cachecore.Block { return (b/ram.RunBlocks + 1) * ram.RunBlocks }

// loan is a buffer of the pool that several hold: the read that acquired it, the fills that read into it, the sinks that send from it.
// The last gives it back.
type loan struct {
	pool    *ram.Buffers
	p       []byte
	holders atomic.Int32
}

func newLoan(pool *ram.Buffers, p []byte) *loan {
	l := &loan{pool: pool, p: p}
	l.hold()
	return l
}

func (l *loan) hold() { l.holders.Add(1) }

// Release implements cachecore.Releaser.
func (l *loan) Release(uint64) {
	if l.holders.Add(-1) == 0 {
		l.pool.Put(l.p)
	}
}
