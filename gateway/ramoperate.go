package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore/ram"
	"forebay/configs"
	"forebay/gateway/api"
)

const (
	// minRAM is the least that a pool has, as in the configuration.
	minRAM = 1 << 20

	// ramPatience is what replies under way get to be done with memory that is to be given back.
	ramPatience = 10 * time.Second
)

// ResizeRAM implements api.Operator.
func (g *Gateway) ResizeRAM(ctx context.Context, pool string, bytes int64) error {
	p := g.pools[pool]
	if p == nil {
		return api.ErrNotFound
	}
	return p.resize(ctx, bytes, g.log.With().Str("pool", pool).Logger())
}

// resize changes what the pool caches in RAM, while its volumes go on. A write log in RAM has memory of its own.
func (p *pool) resize(ctx context.Context, bytes int64, log zerolog.Logger) error {
	least, most := p.store.Limits()
	if least = max(least, minRAM); bytes < least || bytes > most {
		return fmt.Errorf("%w: until the gateway starts again it can be from %s to %s: its parts and its address space are those of the start", api.ErrRefused,
			configs.Size(least), configs.Size(most))
	}
	unlocked := p.store.Locked()
	ctx, cancel := context.WithTimeout(ctx, ramPatience)
	defer cancel()
	err := p.store.Resize(ctx, bytes)
	if p.store.Locked() != nil && unlocked == nil {
		warnUnlocked(p.store.Locked(), log)
	}
	if err != nil {
		if errors.Is(err, ram.ErrPinned) {
			return fmt.Errorf("replies under way keep a part of the memory; ask again to have it given back: %w", err)
		}
		return err
	}
	log.Info().Int64("bytes", p.store.Stats().Bytes).Msg("RAM tier resized")
	return nil
}
