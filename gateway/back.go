package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/api"
)

// back is what acknowledges a volume's writes: its array with the pool's write log before it, and the policy.
type back struct {
	*writeback.Array
	recover    func(writelog.Record, writelog.Position) // takes what the log has of earlier lives; does nothing if that is not to be had
	volume     string
	array      string // that it lies over (placeOf)
	shard      writelog.Shard
	shardOver  func(array string) writelog.Shard // is, or was, over another one
	configured writeback.Mode
	durable    bool
	store      etcd.Store
	log        *poolLog
	record     etcd.Shard // as this life began
	losses     atomic.Uint64
	declared   atomic.Bool // lost, in this life
	logger     zerolog.Logger

	turn sync.Mutex // of who changes the policy, the mode or the record; taken before mu
	mu   struct {
		sync.Mutex
		set    writeback.Mode // while the volume is served, or by its configuration
		paused time.Time      // until when write-back is paused
		resume *time.Timer
	}
}

// modeOf is a policy's word.
func modeOf(write string) writeback.Mode {
	if write == configs.WriteBack {
		return writeback.Back
	}
	return writeback.Through
}

// newBack takes a shard over for this life of the gateway (PROTOCOL A3). base is the epoch below which its records don't count.
func (g *Gateway) newBack(ctx context.Context, c configs.Volume, p *pool, array cachecore.Array, naa [16]byte) (b *back, base cachecore.Epoch, err error) {
	return g.newBackOver(ctx, c, p, array, p.log, func(string) writelog.Shard { return shardOf(naa) })
}

// newBackOver is newBack with what the pool's log is to the array.
func (g *Gateway) newBackOver(ctx context.Context, c configs.Volume, p *pool, below cachecore.Array, log writeback.Log,
	shardOver func(array string) writelog.Shard) (b *back, base cachecore.Epoch, err error) {
	record, err := g.store.NewEpoch(ctx, c.Name)
	if err != nil {
		return nil, 0, err
	}
	word, err := g.store.Policy(ctx, c.Name)
	if err != nil {
		return nil, 0, err
	}
	array := placeOf(c.From)
	shard := shardOver(array)
	b = &back{volume: c.Name, array: array, shard: shard, shardOver: shardOver, configured: modeOf(c.Policy.Write), durable: p.log.durable, store: g.store,
		log: p.log, record: record, recover: func(writelog.Record, writelog.Position) {},
		logger: g.log.With().Str("volume", c.Name).Logger()}
	b.losses.Store(record.Losses)
	b.mu.set = b.configured
	switch m := modeOf(word); {
	case word == "":
	case !b.promises(m): // it was said of a log that lasts
		b.logger.Warn().Msg("write-back, which was set before, is not taken up: " + onlyInRAM)
	default:
		b.mu.set = m
	}
	known, _ := p.log.State(shard)
	b.Array = writeback.New(writeback.Options{Array: below, Log: log, Buffers: p.buffers, Ledger: b, Shard: shard, Name: c.Name,
		Epoch: record.Epoch, Seq: known.Last, Durable: p.log.durable, Cap: p.log.capOf(g.config.Volumes, c), Logger: b.logger}, b.mu.set)
	p.log.backs[shard] = b
	b.verify(known)
	return b, record.Base, nil
}

// setWrite changes the policy, which is kept.
func (b *back) setWrite(ctx context.Context, word string) error {
	m := modeOf(word)
	switch word {
	case "":
		m = b.configured
	case configs.WriteBack, configs.WriteThrough:
	default:
		return fmt.Errorf("%w: %q is neither through nor back", api.ErrRefused, word)
	}
	if !b.promises(m) {
		return fmt.Errorf("%w: %s", api.ErrRefused, onlyInRAM)
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	if err := b.store.SetPolicy(ctx, b.volume, word); err != nil {
		return err
	}
	b.mu.Lock()
	b.mu.set = m
	paused := time.Now().Before(b.mu.paused)
	b.mu.Unlock()
	if paused {
		return nil // when the pause ends
	}
	return b.setMode(ctx, m)
}

// promises says whether a mode keeps what the configuration says (PROTOCOL B8).
func (b *back) promises(m writeback.Mode) bool {
	return m != writeback.Back || b.durable || b.configured == writeback.Back
}

const onlyInRAM = "the pool's write log is in RAM, which survives nothing: say so in the configuration"

func refused(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	return nil
}

// pause is write-through for a time; 0 ends it.
func (b *back) pause(ctx context.Context, ttl time.Duration) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.mu.Lock()
	if b.mu.resume != nil {
		b.mu.resume.Stop()
	}
	b.mu.paused = time.Now().Add(ttl)
	m := b.mu.set
	if ttl > 0 {
		b.mu.resume, m = time.AfterFunc(ttl, b.resume), writeback.Through
	}
	b.mu.Unlock()
	err := b.setMode(ctx, m)
	if ttl == 0 && err != nil && !errors.Is(err, api.ErrRefused) { // it is over all the same
		b.resumeLater()
	}
	return err
}

// resume is the end of a pause, unless another one has begun. It is tried until the control plane has taken it.
func (b *back) resume() {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.mu.Lock()
	m, over := b.mu.set, !time.Now().Before(b.mu.paused)
	b.mu.Unlock()
	if !over {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), identityTimeout)
	defer cancel()
	if err := b.setMode(ctx, m); err != nil && !errors.Is(err, api.ErrRefused) { // what refuses it is in the status
		b.logger.Warn().Err(err).Msg("the pause of write-back can't end yet; it is tried again")
		b.resumeLater()
	}
}

// resumeLater tries it again.
func (b *back) resumeLater() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.resume = time.AfterFunc(resumeAgain, b.resume)
}

// resumeAgain is the time between two attempts.
const resumeAgain = time.Second

// unhold ends the holds of barriers at the end, where the log goes with the process: what it has is carried to the array before, or lost.
func (b *back) unhold() {
	if b == nil || b.durable {
		return
	}
	if b.Status().Held {
		b.logger.Warn().Msg("the gateway ends during the hold of a barrier, which is over: what was acknowledged is in RAM, and is carried to the array")
	}
	b.Release()
}

// status is what the API tells.
func (b *back) status() *api.Writeback {
	s := b.Status()
	b.mu.Lock()
	defer b.mu.Unlock()
	return &api.Writeback{DirtyBytes: s.Dirty, OldestSeconds: s.Oldest.Seconds(), TimeToDestage: s.Left.Seconds(), Held: s.Held,
		PausedSeconds: max(0, time.Until(b.mu.paused).Seconds()), SurvivesPowerLoss: b.durable,
		Losses: b.losses.Load()}
}
