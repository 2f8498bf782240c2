package export

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/flash"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
	"forebay/cachecore/volume"
	"forebay/gateway/witnesses"
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
	Flash   func() *flash.Store // the second level of files' caches, or nil; nil: there is none

	Witnesses *witnesses.Volume // by which what is in flash is found again; nil: it is of use for this life only
	Filer     func() string     // identifies the array among all that handles may be of; with Witnesses

	AttributeCache time.Duration // how long attributes and names are taken for true; 0: not at all
	SoleWriter     bool          // nobody else changes objects, as long as the array doesn't say otherwise
	OnArrayLoss    time.Duration // how long calls are held while the array is away; 0: they fail at once
	Interruptible  bool          // a call to Files ends soon after its context has, whatever the array does
	Soft           bool          // then a call fails with NFS3ERR_IO, rather than that the client is told to try again
	Nodes          int           // objects that are known at a time; 0: 16384
	ReadAhead      int64         // bytes at most; 0: 1 MiB, negative: none
}

// Export is a server.FileSystem with a cache. It is safe for concurrent use.
type Export struct {
	opts   Options
	table  *table
	outage *volume.Outage

	verifier verifier // of what Files answers
	below    verifier // of the array that Files lies over, if it is a settler
	keys     keys

	rounds    sync.Mutex    // held while witnesses are taken; before all others
	forgets   sync.Mutex    // held while they are forgotten
	forgotten atomic.Uint64 // how often that began and ended

	beside []*Export // those whose clients may use the same objects; set before anything is served

	prefetches chan struct{}   // a place for each that is under way
	works      sync.WaitGroup  // prefetches, and volumes that are being closed
	life       context.Context // of prefetches
	cancel     context.CancelFunc
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
	o.ReadAhead = min(o.ReadAhead, volume.MaxRead)
	if o.Stats == nil {
		o.Stats = new(stats.Volume)
	}
	e := &Export{opts: o, outage: volume.NewOutage(o.OnArrayLoss), prefetches: make(chan struct{}, maxPrefetches)}
	e.table = newTable(o.Nodes, e.retire)
	e.life, e.cancel = context.WithCancel(context.Background())
	return e
}

// Wake says that the array is back: what is held tries again at once.
func (e *Export) Wake() { e.outage.Wake() }

// Drop forgets all that is known and cached: the array may have been changed, or have lost what it had answered.
func (e *Export) Drop() {
	e.table.turns.Add(1) // first: what is being looked up has no node yet
	for _, n := range e.table.all() {
		n.drop()
	}
}

// Close waits for what is under way in the files, or for the end of ctx, and empties the cache, but for what can be found again in flash. The server in
// front has ended.
func (e *Export) Close(ctx context.Context) error {
	e.cancel()
	ended := make(chan struct{})
	go func() {
		e.works.Wait()
		close(ended)
	}()
	e.takeLast(ctx) // which may take all of the time
	select {
	case <-ended:
		return e.table.close(ctx)
	default:
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.table.close(ctx)
}

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

// verifier is a write verifier.
type verifier struct {
	sync.Mutex
	known bool
	last  nfs.Verifier
}

func (v *verifier) isKnown() bool {
	v.Lock()
	defer v.Unlock()
	return v.known
}

// vouch notes the write verifier of an answer. A new one drops the cache, and those beside: what was answered and not committed may be lost (PROTOCOL E1).
// Who comes with the same one meanwhile is not answered before that is done.
func (e *Export) vouch(v nfs.Verifier) { e.vouchFor(&e.verifier, v) }

func (e *Export) vouchFor(x *verifier, v nfs.Verifier) {
	x.Lock()
	defer x.Unlock()
	if x.known && x.last != v {
		e.dropAll()
	}
	x.known, x.last = true, v
}

var _ server.FileSystem = (*Export)(nil)
