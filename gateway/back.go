package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/api"
)

// back is what acknowledges a disk's writes: its array with the pool's write log before it, and the policy.
type back struct {
	*writeback.Array
	volume     string
	configured writeback.Mode
	durable    bool
	store      etcd.ShardStore

	mu struct {
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

// ledger is a writeback.Ledger in the control plane.
type ledger struct {
	store  etcd.ShardStore
	volume string
}

func (l ledger) Raise(ctx context.Context) (cachecore.Epoch, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return l.store.RaiseBase(ctx, l.volume)
}

// newBack takes a shard over for this life of the gateway (PROTOCOL A3). base is the epoch below which its records don't count.
func newBack(ctx context.Context, store etcd.ShardStore, c configs.Volume, p *pool, array cachecore.Array, naa [16]byte, log zerolog.Logger) (b *back, base cachecore.Epoch, err error) {
	epoch, base, err := store.NewEpoch(ctx, c.Name)
	if err != nil {
		return nil, 0, err
	}
	word, err := store.Policy(ctx, c.Name)
	if err != nil {
		return nil, 0, err
	}
	b = &back{volume: c.Name, configured: modeOf(c.Policy.Write), durable: p.log.durable, store: store}
	b.mu.set = b.configured
	if word != "" {
		b.mu.set = modeOf(word)
	}
	shard := shardOf(naa)
	known, _ := p.log.State(shard)
	b.Array = writeback.New(writeback.Options{Array: array, Log: p.log, Buffers: p.buffers, Ledger: ledger{store, c.Name}, Shard: shard, Name: c.Name,
		Epoch: epoch, Seq: known.Last, Durable: p.log.durable, Logger: log.With().Str("volume", c.Name).Logger()}, b.mu.set)
	if epoch <= known.Epoch || base < known.Void { // PROTOCOL A7
		b.Lose(fmt.Errorf("the control plane is older than the write log: it knows epoch %d and base %d, the log %d and %d", epoch, base, known.Epoch, known.Void))
	}
	return b, base, nil
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
	if m == writeback.Back && !b.durable && b.configured != writeback.Back {
		return fmt.Errorf("%w: the pool's write log is in RAM, which survives nothing: say so in the configuration", api.ErrRefused)
	}
	if err := b.store.SetPolicy(ctx, b.volume, word); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.set = m
	if time.Now().Before(b.mu.paused) {
		return nil // when the pause ends
	}
	return refused(b.SetMode(m))
}

func refused(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	return nil
}

// pause is write-through for a time; 0 ends it.
func (b *back) pause(ttl time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.resume != nil {
		b.mu.resume.Stop()
	}
	b.mu.paused = time.Now().Add(ttl)
	if ttl == 0 {
		return refused(b.SetMode(b.mu.set))
	}
	b.mu.resume = time.AfterFunc(ttl, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !time.Now().Before(b.mu.paused) {
			_ = b.SetMode(b.mu.set) // what keeps it from that is in the status
		}
	})
	return refused(b.SetMode(writeback.Through))
}

// status is what the API tells.
func (b *back) status() *api.Writeback {
	s := b.Status()
	b.mu.Lock()
	defer b.mu.Unlock()
	return &api.Writeback{DirtyBytes: s.Dirty, OldestSeconds: s.Oldest.Seconds(), TimeToDestage: s.Left.Seconds(), Held: s.Held,
		PausedSeconds: max(0, time.Until(b.mu.paused).Seconds()), SurvivesPowerLoss: b.durable}
}
