package writeback

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// Log is what Array needs of a writelog.Log.
type Log interface {
	Append(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error
	AppendLater(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error
	Kick()
	MaxData() int64
	ReadAt(p []byte, at writelog.Position, skip int64) error
	Trim(s writelog.Shard, upto cachecore.Seq) error
	Void(s writelog.Shard, below cachecore.Epoch) error
	Space() (used, capacity int64)
}

// Buffers is memory for what is on its way to the array.
type Buffers interface {
	Acquire(ctx context.Context, into [][]byte, sizes []int) error
	Put(p []byte)
}

// Ledger keeps a shard's epoch and base (PROTOCOL A1, A2).
type Ledger interface {
	// Raise returns an epoch above all before it, which is the base from now on: records of a lower one don't count. It is durable then.
	Raise(ctx context.Context) (cachecore.Epoch, error)
}

// Options are what an Array is made of.
type Options struct {
	Array   cachecore.Array
	Log     Log
	Buffers Buffers // maxTransfer bytes at least for each of Parallel
	Ledger  Ledger
	Shard   writelog.Shard
	Name    string          // of the shard, for people
	Epoch   cachecore.Epoch // that the ledger gave for this start
	Seq     cachecore.Seq   // the last that the log knows of the shard, trimmed or not
	// Durable: what the log has answered survives a power cut. Else Flush and FUA wait for the array (PROTOCOL B8).
	Durable bool
	Cap     int64 // bytes of the log that the volume may fill, records included (PROTOCOL B9); 0: as much as there is

	IntervalSize int64         // bytes of data that close an interval; 0: see limit
	IntervalAge  time.Duration // after which it is closed; 0: 2 s
	Parallel     int           // transfers to the array at a time, at most; 0: 32
	Logger       zerolog.Logger
}

const (
	leastInterval      = 32 << 20
	intervalTime       = 2 * time.Second
	defaultIntervalAge = 2 * time.Second
	defaultParallel    = 32
	maxTransfer        = 1 << 20
)

// Array is a cachecore.Array, Zeroer and Launcher. Overlapping calls that change something are its user's to serialise, as for any array.
type Array struct {
	opts    Options
	below   cachecore.Array
	stretch int64 // of below, if that is Objects
	log     zerolog.Logger
	pace    pace
	tickets sync.Pool
	rate    rate
	short   atomic.Bool // of room: the open interval is not to wait for its time

	mu struct {
		sync.Mutex
		mode      Mode
		wanted    Mode
		reason    string // why they differ
		epoch     cachecore.Epoch
		seq       cachecore.Seq // the last that was given out
		intervals []*interval   // in the order of the log, the open one last
		untrimmed []*interval   // that the array has, and of which neither the log nor the ledger says so yet
		limit     int64         // bytes of data that close an interval
		backlog   int64         // bytes of their records
		shut      chan struct{} // made while writes wait: closed when they go on
		raising   bool          // the base is being raised, or may have been: what would be logged may not count
		direct    int           // writes at the array
		written   uint64        // changes that the array has answered, so far
		flushed   uint64        // how many of them a flush has covered
		settled   bool          // a flush has covered what an earlier life may have changed directly
		unkept    bool          // a flush has failed before that
		cause     error         // of dead and lost, and afterwards why it can't be back
		stuck     error         // why the oldest interval can't be carried, now
		holds     []*hold       // of barriers
		retired   chan struct{} // closed and replaced when an interval has gone, or none will
		poked     chan struct{} // one: the destager has something to look at
	}
}

var (
	_ cachecore.Array    = (*Array)(nil)
	_ cachecore.Zeroer   = (*Array)(nil)
	_ cachecore.Launcher = (*Array)(nil)
)

// room is what the volume may fill of the log, in bytes.
func (o *Options) room() int64 {
	_, capacity := o.Log.Space()
	if o.Cap > 0 {
		return min(o.Cap, capacity)
	}
	return capacity
}

// limit is how many bytes of data close an interval, where the array takes so many a second: what it takes in intervalTime, as in a long interval
// more is written over, and more lies side by side; 32 MiB at least, of a small room an eighth; at most a third of the room, as another
// is under way beside it.
func (o *Options) limit(rate float64) int64 {
	if o.IntervalSize > 0 {
		return o.IntervalSize
	}
	room := o.room()
	least := min(leastInterval, max(room/8, cachecore.BlockSize))
	return max(least, min(int64(rate*intervalTime.Seconds()), room/3))
}

// New returns an array in a mode, back or through, with no records. What the log has of the shard is given to it by Recover.
func New(o Options, m Mode) *Array {
	o.IntervalAge = cmp.Or(o.IntervalAge, defaultIntervalAge)
	o.Parallel = cmp.Or(o.Parallel, defaultParallel)
	a := &Array{opts: o, below: o.Array, stretch: stretchOf(o.Array), log: o.Logger, tickets: sync.Pool{New: newTicket}}
	a.mu.mode, a.mu.wanted, a.mu.epoch = m, m, o.Epoch
	a.mu.seq, a.mu.limit = o.Seq, o.limit(0)
	a.mu.intervals = []*interval{newInterval()}
	a.mu.retired = make(chan struct{})
	a.mu.poked = make(chan struct{}, 1)
	a.rate.start(o.Parallel)
	return a
}

// open is the interval that records are appended to. a.mu is held.
func (a *Array) open() *interval { return a.mu.intervals[len(a.mu.intervals)-1] }

// poke has the destager look. a.mu is held.
func (a *Array) poke() {
	select {
	case a.mu.poked <- struct{}{}:
	default:
	}
}

// Info implements cachecore.Array: an array whose answers last has no write cache.
func (a *Array) Info() cachecore.ArrayInfo {
	info := a.below.Info()
	info.WriteCache = a.WriteCache(info)
	return info
}

// WriteCache says whether what is answered may be lost before a flush. Modes come and go without initiators being told: it is the worst of them.
func (a *Array) WriteCache(below cachecore.ArrayInfo) bool {
	return below.WriteCache || !a.opts.Durable
}
