package gateway

import (
	"context"
	"fmt"
	"time"

	"forebay/gateway/api"
)

// SetWrite implements api.Operator.
func (g *Gateway) SetWrite(ctx context.Context, volume, write string) error {
	b, err := g.withLog(volume)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return b.setWrite(ctx, write)
}

// Drain implements api.Operator.
func (g *Gateway) Drain(ctx context.Context, volume string) error {
	b, err := g.withLog(volume)
	if err != nil {
		return err
	}
	return b.Drain(ctx)
}

// PauseWriteback implements api.Operator.
func (g *Gateway) PauseWriteback(ctx context.Context, volume string, ttl time.Duration) error {
	b, err := g.withLog(volume)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return b.pause(ctx, ttl)
}

// Barrier implements api.Operator.
func (g *Gateway) Barrier(ctx context.Context, volume string, hold time.Duration) error {
	b, err := g.withLog(volume)
	if err != nil {
		return err
	}
	if hold == 0 {
		b.Release()
		return nil
	}
	return b.Barrier(ctx, hold)
}

// DeclareLost implements api.Operator.
func (g *Gateway) DeclareLost(ctx context.Context, volume string) error {
	b, err := g.withLog(volume)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return b.declareLost(ctx)
}

// withLog finds what acknowledges the writes of a volume that has a write log.
func (g *Gateway) withLog(volume string) (*back, error) {
	for _, d := range g.disks {
		if d.name() == volume && d.back != nil {
			return d.back, nil
		}
	}
	for _, s := range g.shares {
		if s.name() == volume && s.staged != nil {
			return s.staged.back, nil
		}
	}
	for _, v := range g.volumes() {
		if v.name() == volume {
			return nil, fmt.Errorf("%w: no write log: that goes with a log, or flash of at least 512MiB, in the tier of its pool", api.ErrRefused)
		}
	}
	return nil, api.ErrNotFound
}
