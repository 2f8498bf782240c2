package export

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
	"forebay/cachecore/volume"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/server"
)

// Options are what an Export is made of.
type Options struct {
	Files   nfs.FileSystem // the array's
	Objects *Objects
	Store   *ram.Store
	Buffers *ram.Buffers // as those of a volume
	Stats   *stats.Volume

	AttributeCache time.Duration // how long attributes and names are taken for true; 0: not at all
	OnArrayLoss    time.Duration // how long calls are held while the array is away; 0: they fail at once
	Soft           bool          // then a call fails with NFS3ERR_IO, rather than that the client is told to try again
	Nodes          int           // objects that are known at a time; 0: 16384
	ReadAhead      int64         // bytes at most; 0: 1 MiB, negative: none
}

// Objects numbers the objects of a gateway.
type Objects struct{ last atomic.Uint32 }

// Reserve takes the numbers up to n.
func (o *Objects) Reserve(n int) { o.last.Store(uint32(n)) }

func (o *Objects) next() cachecore.ObjectID { return cachecore.ObjectID(o.last.Add(1)) }

// Export is a server.FileSystem with a cache. It is safe for concurrent use.
type Export struct {
	opts   Options
	table  *table
	outage *volume.Outage

	verifier struct {
		sync.Mutex
		known bool
		last  nfs.Verifier
	}

	prefetches sync.WaitGroup
	life       context.Context // of prefetches
	end        context.CancelFunc
}

const (
	defaultNodes     = 16384
	defaultReadAhead = 1 << 20
	fileStripes      = 64 // of a file's volume
)

// New returns an export with an empty cache.
func New(o Options) *Export {
	if o.Nodes == 0 {
		o.Nodes = defaultNodes
	}
	if o.ReadAhead == 0 {
		o.ReadAhead = defaultReadAhead
	}
	if o.Stats == nil {
		o.Stats = new(stats.Volume)
	}
	e := &Export{opts: o, table: newTable(o.Nodes), outage: volume.NewOutage(o.OnArrayLoss)}
	e.life, e.end = context.WithCancel(context.Background())
	return e
}

// Wake says that the array is back: what is held tries again at once.
func (e *Export) Wake() { e.outage.Wake() }

// Drop forgets all that is known and cached: the array may have been changed, or have lost what it had answered.
func (e *Export) Drop() {
	for _, n := range e.table.all() {
		n.drop()
	}
}

// Close waits for what is under way in the files, or for the end of ctx, and empties the cache. The server in front has ended.
func (e *Export) Close(ctx context.Context) error {
	e.end()
	ended := make(chan struct{})
	go func() {
		e.prefetches.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.table.close(ctx)
}

// volumeOf returns a file's volume.
func (e *Export) volumeOf(n *node) *volume.Volume {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.volume == nil {
		n.mu.volume = volume.New(volume.Options{Object: e.opts.Objects.next(), Array: &file{e, n}, Store: e.opts.Store, Buffers: e.opts.Buffers,
			Stats: e.opts.Stats, Outage: e.outage, SequentialBypass: -1, Stripes: fileStripes})
	}
	return n.mu.volume
}

// until is how long what the array says now is taken for true.
func (e *Export) until() time.Time { return time.Now().Add(e.opts.AttributeCache) }

// ask has the array execute a procedure, and holds it while the array is away.
func (e *Export) ask(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	return e.outage.Ask(ctx, func(ctx context.Context) error { return e.once(ctx, c, p, a, r) })
}

// once is ask, not held.
func (e *Export) once(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	err := e.opts.Files.Do(ctx, c, p, a, r)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nfs.ErrOutcomeUnknown) && !p.Idempotent():
		return &unavailable{cachecore.ErrUnknownOutcome, err}
	case errors.Is(err, nfs.ErrAway):
		return &unavailable{cachecore.ErrUnavailable, err}
	default:
		return err
	}
}

// unavailable is an error of the file system as one of an array.
type unavailable struct{ as, err error }

func (u *unavailable) Error() string   { return u.err.Error() }
func (u *unavailable) Unwrap() []error { return []error{u.as, u.err} }

// answer makes an error what the server in front understands, an nfs.Status among others.
func (e *Export) answer(err error) error {
	if err != nil && e.opts.Soft && errors.Is(err, nfs.ErrAway) {
		return nfs.ErrIO
	}
	return err
}

// vouch notes the write verifier of an answer. A new one drops the cache: what was answered and not committed may be lost (PROTOCOL E1).
func (e *Export) vouch(v nfs.Verifier) {
	e.verifier.Lock()
	changed := e.verifier.known && e.verifier.last != v
	e.verifier.known, e.verifier.last = true, v
	e.verifier.Unlock()
	if changed {
		e.Drop()
	}
}

var _ server.FileSystem = (*Export)(nil)
