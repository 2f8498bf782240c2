package flash

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"forebay/cachecore/calls"
	"forebay/cachecore/device"
	"forebay/cachecore/ram"
)

// Options are how a store is opened.
type Options struct {
	// ID is the incarnation that is expected: what the caller noted when it formatted the device, and did not condemn since. Zero: any, which is
	// for tools.
	ID ID
	// Condemn notes, durably and not on the device, that what the device with this incarnation holds must never be served again, so that it is
	// not opened again but formatted. It is called when the device has failed and something that it may hold is about to be written. Until it
	// has returned nil, such writes wait. It must be given.
	Condemn func(context.Context) error
	// BytesPerDay is how much may be written to the device, metadata aside; 0: no limit.
	BytesPerDay int64
	// ReadMemory is for reads that are under way; 0: 16 MiB, and never less than 1.
	ReadMemory int64
	// Patience is how long the device may take to answer one request before it counts as failed; 0: 5 s.
	Patience time.Duration
}

// Store keeps blocks of objects on a device. It is safe for concurrent use, Close and Withdraw excepted. It starts goroutines when there is
// something to do, and they end when it is done.
//
// The device stays the caller's to close, after Close or Withdraw has returned nil.
type Store struct {
	options Options
	raw     device.Device // for Open
	dev     *guard
	id      ID
	layout  layout
	seed    uint64

	memory  *ram.Arena
	pool    *ram.Buffers
	arena   arena
	shards  []shard
	objects objects
	regions atomic.Pointer[[]*region] // by slot; replaced when it grows
	fill    fill
	ledger  ledger

	sealed atomic.Uint64 // regions up to here may have a footer
	void   atomic.Uint64 // regions below are worth nothing after an unclean end, durably

	health        health
	left          atomic.Bool // withdrawn: the device will never be opened as it is
	undiscardable atomic.Bool
	calls         calls.Calls
	tasks         calls.Calls     // goroutines of its own
	over          atomic.Bool     // withdrawn, and nothing is under way any more
	resizing      chan struct{}   // the turn of who resizes
	life          context.Context // ends with the device, or with the store
	end           context.CancelFunc
	count         counters
}

const (
	dflPatience   = 5 * time.Second
	dflReadMemory = 16 << 20
	minReadMemory = MaxRead * blockSize
	maxShards     = 64
)

func newStore(dev device.Device, o Options, sb superblock, slots uint32) (*Store, error) {
	if o.Condemn == nil {
		return nil, errors.New("a flash tier needs somewhere to note that it has failed")
	}
	if o.Patience == 0 {
		o.Patience = dflPatience
	}
	if o.ReadMemory == 0 {
		o.ReadMemory = dflReadMemory
	}
	s := &Store{options: o, raw: dev, id: sb.id, layout: sb.layout, seed: rand.Uint64()}
	s.resizing = make(chan struct{}, 1)
	s.life, s.end = context.WithCancel(context.Background())
	s.health.init(s.end)
	s.dev = &guard{Device: dev, h: &s.health, patience: o.Patience}
	s.indexFor(slots)
	s.fill.init(s)
	if err := s.reserve(); err != nil {
		return nil, err
	}
	s.addRegions(slots)
	return s, nil
}

// reserve takes the memory of the buffers.
func (s *Store) reserve() error {
	region, reads := offset(s.layout.regionBlocks), max(minReadMemory, s.options.ReadMemory)
	memory, err := ram.NewArena(buffers*region + reads)
	if err != nil {
		return err
	}
	s.memory, s.pool = memory, ram.NewBuffers(memory.Take(reads))
	for range buffers {
		s.fill.idle = append(s.fill.idle, &buffer{mem: memory.Take(region), home: &s.fill})
	}
	return nil
}

// addRegions makes the table of slots that long.
func (s *Store) addRegions(slots uint32) {
	var table []*region
	if old := s.regions.Load(); old != nil {
		table = append(table, *old...)
	}
	for uint32(len(table)) < slots {
		table = append(table, new(region))
	}
	s.regions.Store(&table)
	s.fill.limit = slots
}

// ID is the device's incarnation.
func (s *Store) ID() ID { return s.id }

// Failed is closed when the device has failed: from then on everything is a miss. Err says why.
func (s *Store) Failed() <-chan struct{} { return s.health.failed }

// Err is nil while the device is well.
func (s *Store) Err() error { return s.health.reason() }

func (s *Store) enter() bool { return s.calls.Enter() }
func (s *Store) leave()      { s.calls.Leave() }

// spawn has f done beside.
func (s *Store) spawn(f func()) {
	s.tasks.Join()
	go func() {
		defer s.tasks.Leave()
		f()
	}()
}

// await has f done, and waits for it or for ctx, whose error it returns: the device may never answer. What f uses stays f's until tasks have ended.
func (s *Store) await(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	s.spawn(func() { done <- f() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
